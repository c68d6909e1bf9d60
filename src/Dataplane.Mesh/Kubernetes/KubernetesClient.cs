using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Text.Json;

namespace Dataplane.Mesh.Kubernetes;

/// <summary>Lists and watches objects of an API server over HTTP/2 or HTTP/1.1.</summary>
internal sealed class KubernetesClient : IDisposable
{
    /// <summary>Objects per page, as kubectl asks for.</summary>
    private const int PageSize = 500;

    /// <summary>The longest page: 500 objects of etcd's 1.5 MB are never met; a server that says more is not believed.</summary>
    private const long MaxPageBytes = 256 << 20;

    private readonly ClusterAccess _access;
    private readonly KubernetesTimings _timings;
    private readonly HttpClient _http;

    /// <summary>Makes a client; connects to nothing yet.</summary>
    public KubernetesClient(ClusterAccess access, KubernetesTimings timings)
    {
        (_access, _timings) = (access, timings);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // The token is for this server only.
            UseCookies = false,
            UseProxy = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            SslOptions = access.ToTls(),
            KeepAlivePingDelay = TimeSpan.FromSeconds(20),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = MaxPageBytes };
    }

    /// <summary>One page of a list.</summary>
    /// <param name="path">Path of the collection, such as <c>/api/v1/services</c>.</param>
    /// <param name="token">Where the page before left off; empty: the first page.</param>
    /// <param name="isWhole">Whether everything is wanted in one page.</param>
    /// <param name="cancellationToken">Ends waiting.</param>
    /// <exception cref="KubernetesException">The server refused.</exception>
    public async Task<JsonDocument> ListAsync(string path, string token, bool isWhole, CancellationToken cancellationToken)
    {
        string query = isWhole ? "" : string.Create(CultureInfo.InvariantCulture, $"?limit={PageSize}{(token.Length > 0 ? $"&continue={Uri.EscapeDataString(token)}" : "")}");
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_timings.Request);
        using HttpRequestMessage request = Request(path + query);
        using HttpResponseMessage response = await _http.SendAsync(request, patience.Token).ConfigureAwait(false);
        await CheckAsync(response, patience.Token).ConfigureAwait(false);
        using Stream body = await response.Content.ReadAsStreamAsync(patience.Token).ConfigureAwait(false);
        return await JsonDocument.ParseAsync(body, default, patience.Token).ConfigureAwait(false);
    }

    /// <summary>Begins to watch a collection from a version on.</summary>
    /// <param name="path">Path of the collection.</param>
    /// <param name="version">The version that is known.</param>
    /// <param name="cancellationToken">Ends waiting.</param>
    /// <exception cref="KubernetesException">The server refused.</exception>
    public async Task<WatchStream> WatchAsync(string path, string version, CancellationToken cancellationToken)
    {
        int seconds = (int)(_timings.Watch.TotalSeconds * (1 + Random.Shared.NextDouble()));
        string query = string.Create(CultureInfo.InvariantCulture, $"?watch=true&allowWatchBookmarks=true&resourceVersion={Uri.EscapeDataString(version)}&timeoutSeconds={seconds}");
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(_timings.Request);
        using HttpRequestMessage request = Request(path + query);
        HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token).ConfigureAwait(false);
        try
        {
            await CheckAsync(response, patience.Token).ConfigureAwait(false);
            return new WatchStream(response, await response.Content.ReadAsStreamAsync(patience.Token).ConfigureAwait(false), _timings.Idle);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    public void Dispose() => _http.Dispose();

    private HttpRequestMessage Request(string pathAndQuery)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_access.Server.AbsoluteUri.TrimEnd('/') + pathAndQuery))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("dataplane", null));
        if (_access.ServerName.Length > 0)
        {
            // SocketsHttpHandler asks for, and checks, the name of this header whatever its options of TLS say.
            request.Headers.Host = _access.ServerName;
        }

        if (_access.ReadToken() is { Length: > 0 } token)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return request;
    }

    /// <summary>Makes an error of what is no success, with what the server says about it.</summary>
    private static async Task CheckAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.StatusCode == HttpStatusCode.OK)
        {
            return;
        }

        string message = "";
        try
        {
            using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            byte[] beginning = new byte[16384];
            int length = await body.ReadAtLeastAsync(beginning, beginning.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            using var status = JsonDocument.Parse(beginning.AsMemory(0, length));
            message = new ObjectNode(status.RootElement).Text("message");
        }
        catch (Exception exception) when (exception is JsonException or IOException)
        {
            // Proxies answer in HTML; the code says enough.
        }

        RetryConditionHeaderValue? retry = response.Headers.RetryAfter;
        int code = (int)response.StatusCode;
        throw new KubernetesException(code, string.Create(CultureInfo.InvariantCulture, $"{code} {response.StatusCode}{(message.Length > 0 ? ": " : "")}{message}")) { RetryAfter = retry?.Delta ?? TimeSpan.Zero };
    }
}
