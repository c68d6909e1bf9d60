using System.Net.Sockets;
using System.Text.Json.Serialization.Metadata;
using Dataplane.Gateway.Status;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Dataplane.Gateway.Networks;

/// <summary>Answers requests about networks: HTTP and JSON over a Unix socket that only its owner may use.</summary>
internal sealed class ControlServer : IAsyncDisposable
{
    private const string EndpointPath = "/v1/networks/{name}/endpoints/{container}/{interface}";

    private readonly HttpService _http;
    private readonly string _socket;

    private ControlServer(HttpService http, string socket) => (_http, _socket) = (http, socket);

    /// <summary>Answers about networks.</summary>
    /// <exception cref="IOException">Another service listens there, or the directory cannot be made.</exception>
    public static Task<ControlServer> StartAsync(string socket, ContainerNetworks networks) => StartAsync("--socket", socket, web => Map(web, networks));

    /// <summary>Answers whatever it is told to.</summary>
    /// <param name="option">The option that says where.</param>
    /// <param name="socket">Where.</param>
    /// <param name="map">Adds what is answered.</param>
    /// <exception cref="IOException">Another service listens there, or the directory cannot be made.</exception>
    public static async Task<ControlServer> StartAsync(string option, string socket, Action<WebApplication> map)
    {
        socket = Path.GetFullPath(socket);
        Directory.CreateDirectory(Path.GetDirectoryName(socket)!);
        if (File.Exists(socket) && await ControlClient.IsAnsweringAsync(socket).ConfigureAwait(false))
        {
            throw new IOException($"Another service listens at {socket}: end it, or choose another path by {option}.");
        }

        File.Delete(socket);
        HttpService http = await HttpService.StartAsync($"{option} {socket}", kestrel => kestrel.ListenUnixSocket(socket), builder => Protect(builder, socket), map)
            .ConfigureAwait(false);
        return new ControlServer(http, socket);
    }

    public async ValueTask DisposeAsync()
    {
        await _http.DisposeAsync().ConfigureAwait(false);
        File.Delete(_socket);
    }

    /// <summary>From the first moment on nobody but its owner can connect: the mode is set after it is bound and before it listens.</summary>
    private static void Protect(WebApplicationBuilder builder, string socket) => builder.WebHost.UseSockets(sockets => sockets.CreateBoundListenSocket = place =>
    {
        Socket bound = SocketTransportOptions.CreateDefaultBoundListenSocket(place);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(socket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        return bound;
    });

    private static void Map(WebApplication web, ContainerNetworks networks)
    {
        On(web, "GET", "/v1/status", NetworkJson.Default.ServiceStatus, _ => Task.FromResult(networks.ReadStatus()));
        On(web, "GET", "/v1/networks", NetworkJson.Default.NetworkViewArray, _ => Task.FromResult<NetworkView[]>([.. networks.List()]));
        On(web, "POST", "/v1/networks", NetworkJson.Default.NetworkView, async context =>
            await networks.CreateAsync(await ReadAsync(context, NetworkJson.Default.NetworkRecord).ConfigureAwait(false)).ConfigureAwait(false));
        On(web, "GET", "/v1/networks/{name}", NetworkJson.Default.NetworkView, context => Task.FromResult(networks.Get(Value(context, "name"))));
        On(web, "DELETE", "/v1/networks/{name}", NetworkJson.Default.Removed, async context =>
        {
            await networks.RemoveAsync(Value(context, "name")).ConfigureAwait(false);
            return new Removed([Value(context, "name")]);
        });
        On(web, "POST", "/v1/networks/{name}/endpoints", NetworkJson.Default.AttachReply, async context =>
            await networks.AttachAsync(Value(context, "name"), await ReadAsync(context, NetworkJson.Default.EndpointRecord).ConfigureAwait(false)).ConfigureAwait(false));
        On(web, "DELETE", EndpointPath, NetworkJson.Default.Removed, async context =>
        {
            EndpointRecord? gone = await networks.DetachAsync(Value(context, "name"), Value(context, "container"), Value(context, "interface")).ConfigureAwait(false);
            return new Removed(gone is null ? [] : [gone.Key]);
        });
        On(web, "PUT", EndpointPath + "/ports", NetworkJson.Default.EndpointRecord, async context => await networks.PublishAsync(
            Value(context, "name"), Value(context, "container"), Value(context, "interface"),
            await ReadAsync(context, NetworkJson.Default.PublishedPortArray).ConfigureAwait(false)).ConfigureAwait(false));
        On(web, "POST", "/v1/networks/{name}/collect", NetworkJson.Default.Removed, async context => new Removed(await networks.CollectAsync(
            Value(context, "name"), (await ReadAsync(context, NetworkJson.Default.ValidAttachments).ConfigureAwait(false)).Keys).ConfigureAwait(false)));
    }

    private static string Value(HttpContext context, string name) => (string)context.GetRouteValue(name)!;

    private static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
    {
        try
        {
            return await System.Text.Json.JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted).ConfigureAwait(false)
                ?? throw new NetworkException(NetworkFault.Invalid, "The request has no content.");
        }
        catch (System.Text.Json.JsonException wrong)
        {
            throw new NetworkException(NetworkFault.Invalid, $"The request cannot be read: {wrong.Message}", wrong);
        }
    }

    /// <summary>Adds an answer; what is thrown is told to whoever asked.</summary>
    internal static void On<T>(WebApplication web, string method, string pattern, JsonTypeInfo<T> type, Func<HttpContext, Task<T>> answer) =>
        web.MapMethods(pattern, [method], async (HttpContext context) =>
        {
            try
            {
                T result = await answer(context).ConfigureAwait(false);
                await WriteAsync(context, StatusCodes.Status200OK, result, type).ConfigureAwait(false);
            }
#pragma warning disable CA1031 // Whatever went wrong is told to whoever asked; the service goes on for the others.
            catch (Exception refused) when (refused is not OperationCanceledException)
#pragma warning restore CA1031
            {
                await RefuseAsync(context, refused).ConfigureAwait(false);
            }
        });

    /// <summary>Tells whoever asked what went wrong.</summary>
    internal static Task RefuseAsync(HttpContext context, Exception refused)
    {
        NetworkFault fault = refused is NetworkException known ? known.Fault : refused is ArgumentException or FormatException ? NetworkFault.Invalid : NetworkFault.Failed;
        return WriteAsync(context, StatusOf(fault), new ErrorReply(fault.ToString(), refused.Message), NetworkJson.Default.ErrorReply);
    }

    private static async Task WriteAsync<T>(HttpContext context, int status, T value, JsonTypeInfo<T> type)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await System.Text.Json.JsonSerializer.SerializeAsync(context.Response.Body, value, type, context.RequestAborted).ConfigureAwait(false);
    }

    private static int StatusOf(NetworkFault fault) => fault switch
    {
        NetworkFault.Invalid => StatusCodes.Status400BadRequest,
        NetworkFault.NotFound => StatusCodes.Status404NotFound,
        NetworkFault.Conflict or NetworkFault.Exhausted => StatusCodes.Status409Conflict,
        _ => StatusCodes.Status500InternalServerError,
    };
}
