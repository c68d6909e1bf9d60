using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Dataplane.Gateway.Networks;

/// <summary>Asks a running network service.</summary>
internal sealed class ControlClient : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly HttpClient _http;
    private readonly string _socket;

    private readonly string _service;
    private readonly string _start;

    /// <param name="socket">Where the service listens.</param>
    /// <param name="service">What it is called.</param>
    /// <param name="start">How it is started.</param>
    public ControlClient(string socket, string service = "network service", string start = "dataplane network serve")
    {
        (_service, _start) = (service, start);
        _socket = socket;
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancellationToken).ConfigureAwait(false);
                    return new NetworkStream(connection, ownsSocket: true);
                }
                catch
                {
                    connection.Dispose();
                    throw;
                }
            },
        })
        { BaseAddress = new Uri("http://dataplane"), Timeout = s_patience };
    }

    /// <summary>Whether somebody listens at a socket.</summary>
    public static async Task<bool> IsAnsweringAsync(string socket)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await probe.ConnectAsync(new UnixDomainSocketEndPoint(socket)).ConfigureAwait(false);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public Task<ServiceStatus> StatusAsync() => SendAsync(HttpMethod.Get, "/v1/status", null, NetworkJson.Default.ServiceStatus);

    public Task<NetworkView[]> ListAsync() => SendAsync(HttpMethod.Get, "/v1/networks", null, NetworkJson.Default.NetworkViewArray);

    public Task<NetworkView> GetAsync(string network) => SendAsync(HttpMethod.Get, PathOf(network), null, NetworkJson.Default.NetworkView);

    public Task<NetworkView> CreateAsync(NetworkRecord network) =>
        SendAsync(HttpMethod.Post, "/v1/networks", Content(network, NetworkJson.Default.NetworkRecord), NetworkJson.Default.NetworkView);

    public Task<Removed> RemoveAsync(string network) => SendAsync(HttpMethod.Delete, PathOf(network), null, NetworkJson.Default.Removed);

    public Task<AttachReply> AttachAsync(string network, EndpointRecord endpoint) =>
        SendAsync(HttpMethod.Post, PathOf(network) + "/endpoints", Content(endpoint, NetworkJson.Default.EndpointRecord), NetworkJson.Default.AttachReply);

    public Task<Removed> DetachAsync(string network, string container, string interfaceName) =>
        SendAsync(HttpMethod.Delete, PathOf(network, container, interfaceName), null, NetworkJson.Default.Removed);

    public Task<EndpointRecord> PublishAsync(string network, string container, string interfaceName, PublishedPort[] ports) => SendAsync(
        HttpMethod.Put, PathOf(network, container, interfaceName) + "/ports", Content(ports, NetworkJson.Default.PublishedPortArray), NetworkJson.Default.EndpointRecord);

    public Task<Removed> CollectAsync(string network, IReadOnlyList<string> valid) =>
        SendAsync(HttpMethod.Post, PathOf(network) + "/collect", Content(new ValidAttachments(valid), NetworkJson.Default.ValidAttachments), NetworkJson.Default.Removed);

    public void Dispose() => _http.Dispose();

    private static string PathOf(string network) => $"/v1/networks/{Uri.EscapeDataString(network)}";

    private static string PathOf(string network, string container, string interfaceName) =>
        $"{PathOf(network)}/endpoints/{Uri.EscapeDataString(container)}/{Uri.EscapeDataString(interfaceName)}";

    private static ByteArrayContent Content<T>(T value, JsonTypeInfo<T> type) => new(JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>Asks, and reads the answer.</summary>
    /// <exception cref="NetworkException">It was refused, or nobody answers.</exception>
    public async Task<T> SendAsync<T>(HttpMethod method, string path, HttpContent? content, JsonTypeInfo<T> type)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request).ConfigureAwait(false);
            byte[] body = await response.Content.ReadAsByteArrayAsync().ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
            {
                return JsonSerializer.Deserialize(body, type)!;
            }

            throw Refused(response, body);
        }
        catch (Exception gone) when (gone is HttpRequestException or OperationCanceledException or JsonException)
        {
            throw new NetworkException(NetworkFault.Unreachable, $"No {_service} answers at {_socket}: {WhyNot(gone)}.", gone);
        }
    }

    /// <summary>Asks, and reads the answer while it comes.</summary>
    /// <exception cref="NetworkException">It was refused, or nobody answers.</exception>
    public async Task<Stream> OpenAsync(string path)
    {
        try
        {
            HttpResponseMessage response = await _http.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead).ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
            {
                return await response.Content.ReadAsStreamAsync().ConfigureAwait(false);
            }

            using (response)
            {
                throw Refused(response, await response.Content.ReadAsByteArrayAsync().ConfigureAwait(false));
            }
        }
        catch (Exception gone) when (gone is HttpRequestException or OperationCanceledException or JsonException)
        {
            throw new NetworkException(NetworkFault.Unreachable, $"No {_service} answers at {_socket}: {WhyNot(gone)}.", gone);
        }
    }

    private NetworkException Refused(HttpResponseMessage response, byte[] body)
    {
        ErrorReply? refused = body.Length == 0 ? null : JsonSerializer.Deserialize(body, NetworkJson.Default.ErrorReply);
        return new NetworkException(
            Enum.TryParse(refused?.Code, out NetworkFault fault) ? fault : NetworkFault.Failed,
            refused?.Message ?? $"The {_service} at {_socket} answered {(int)response.StatusCode}.");
    }

    /// <summary>Why nobody was reached, and what to do about it.</summary>
    private string WhyNot(Exception gone) => (gone.InnerException as SocketException)?.SocketErrorCode switch
    {
        SocketError.AddressNotAvailable => $"{(File.Exists(_socket) ? "it is no socket" : "there is no such socket")}; start it by {_start}, or name its socket by --socket",
        SocketError.ConnectionRefused => $"the one that made the socket has ended; start it again by {_start}",
        SocketError.AccessDenied => "only the user it runs as may use it, as a rule root",
        _ => gone.Message.TrimEnd('.'),
    };
}
