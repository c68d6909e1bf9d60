using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Dataplane.Mesh.Sources;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Dataplane.Mesh.Registration;

/// <summary>A source that applications fill themselves, over HTTP and JSON: an endpoint stays for as long as its lease is renewed.</summary>
/// <remarks>
/// <c>GET /openapi.json</c> describes the interface. What is registered lives in memory: after a restart a heartbeat is answered with 404, and whoever gets
/// that registers again. With a token file every request must carry <c>Authorization: Bearer WORD</c>; without one, listen where only friends are.
/// </remarks>
internal sealed class RegistrationServer : IMeshSource
{
    private const string EndpointPath = "/v1/namespaces/{space}/services/{service}/endpoints/{id}";
    private const string ServicePath = "/v1/namespaces/{space}/services/{service}";
    private const long MaxBodyBytes = 64 << 10;

    private const long MaxConnections = 4096;

    /// <summary>How often those who follow the registry are told something, if only that nothing is new.</summary>
    internal static readonly TimeSpan SaysSomethingEvery = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan s_gather = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_listenAgainAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_expireEvery = TimeSpan.FromMilliseconds(250);

    private readonly Registry _registry;
    private readonly TimeProvider _time;
    private readonly IPEndPoint _listen;
    private readonly string _tokenFile;
    private readonly Lock _publishing = new();
    private readonly CancellationTokenSource _ending = new();
    private Task _listening = Task.CompletedTask;
    private Action _changed = () => { };
    private WebApplication? _application;
    private ITimer? _timer;
    private volatile SourceSnapshot _snapshot = SourceSnapshot.Empty;
    private volatile string _problem = "does not listen yet";

    /// <summary>Makes the server; it does not listen yet.</summary>
    /// <param name="listen">Where it is to listen; with port 0 the system chooses one.</param>
    /// <param name="tokenFile">File with the word that requests must carry; empty: none.</param>
    /// <param name="time">Clock of the leases.</param>
    public RegistrationServer(IPEndPoint listen, string tokenFile, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(listen);
        ArgumentNullException.ThrowIfNull(tokenFile);
        ArgumentNullException.ThrowIfNull(time);
        (_listen, _tokenFile, _time, _registry) = (listen, tokenFile, time, new Registry(time));
        Name = $"registration {listen}";
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    /// <remarks>Made when it is asked for: thousands of applications that register at once cost one, not one each.</remarks>
    public SourceSnapshot Snapshot
    {
        get
        {
            if (_registry.Revision != _snapshot.Revision)
            {
                lock (_publishing)
                {
                    if (_registry.Revision != _snapshot.Revision)
                    {
                        _snapshot = _registry.ToSnapshot();
                    }
                }
            }

            return _snapshot;
        }
    }

    /// <inheritdoc/>
    public SourceStatus Status
    {
        get
        {
            SourceSnapshot said = Snapshot;
            return new(Name, said.Revision, said.Services.Count, said.Endpoints.Count, _application is null ? null : _time.GetUtcNow(), _problem);
        }
    }

    /// <summary>Where it listens; null before it does.</summary>
    public Uri? Address { get; private set; }

    /// <inheritdoc/>
    /// <remarks>An address that is not to be had, such as one that comes later or that a program before still has, is tried again every second.</remarks>
    public async Task StartAsync(Action changed, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(changed);
        _changed = changed;
        if (!await ListenAsync(cancellationToken).ConfigureAwait(false))
        {
            _listening = ListenLaterAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        await _listening.ConfigureAwait(false);
        _timer?.Dispose();
        if (_application is not null)
        {
            await _application.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task ListenLaterAsync()
    {
        try
        {
            do
            {
                await Task.Delay(s_listenAgainAfter, _time, _ending.Token).ConfigureAwait(false);
            }
            while (!await ListenAsync(_ending.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            // It ends before it could listen.
        }
    }

    private async Task<bool> ListenAsync(CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
            kestrel.Limits.MaxConcurrentConnections = MaxConnections;
            kestrel.Listen(_listen);
        });
        builder.Services.AddRouting();
        builder.Logging.ClearProviders();
        WebApplication application = builder.Build();
        Map(application);
        try
        {
            await application.StartAsync(cancellationToken).ConfigureAwait(false);
            Address = new Uri(application.Urls.First());
            _problem = "";
            _application = application;
            _timer = _time.CreateTimer(_ => Expire(), null, s_expireEvery, s_expireEvery);
            return true;
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            _problem = $"does not listen: {exception.Message}";
            await application.DisposeAsync().ConfigureAwait(false);
            return false;
        }
    }

    private void Map(WebApplication application)
    {
        application.UseRouting();
        application.Use(async (HttpContext context, RequestDelegate next) =>
        {
            if (_tokenFile.Length == 0 && IsOfAPage(context.Request))
            {
                await RefuseAsync(context, StatusCodes.Status403Forbidden, "pages of browsers are not answered without a token_file").ConfigureAwait(false);
            }
            else if (IsAllowed(context.Request))
            {
                await next(context).ConfigureAwait(false);
            }
            else
            {
                await RefuseAsync(context, StatusCodes.Status401Unauthorized, "the word of the registry is needed: Authorization: Bearer WORD").ConfigureAwait(false);
            }
        });
        application.UseEndpoints(_ => { });
        application.MapGet("/openapi.json", (RequestDelegate)(context => WriteAsync(context, OpenApi.Document)));
        application.MapGet("/v1/services", (RequestDelegate)(context => WriteAsync(context, JsonSerializer.Serialize(_registry.List(), MeshJson.Default.RegistryListing))));
        application.MapGet("/v1/watch", (RequestDelegate)WatchAsync);
        application.MapPut(EndpointPath, (RequestDelegate)PutEndpointAsync);
        application.MapDelete(EndpointPath, (RequestDelegate)(context => FoundAsync(context, _registry.Remove(Of(context, "space"), Of(context, "service"), Of(context, "id")))));
        application.MapPost(EndpointPath + "/heartbeat", (RequestDelegate)HeartbeatAsync);
        application.MapPut(ServicePath, (RequestDelegate)PutServiceAsync);
        application.MapDelete(ServicePath, (RequestDelegate)(context => FoundAsync(context, _registry.Undefine(Of(context, "space"), Of(context, "service")))));
    }

    /// <summary>
    /// Whether a page has a browser ask, which may be one from anywhere: where nobody needs a word, being on the machine is all there is to show, and its browser is. It
    /// names the page in Origin, or in Host, where the page's own name was made to lead here (DNS rebinding).
    /// </summary>
    private bool IsOfAPage(HttpRequest request) => request.Headers.ContainsKey("Origin")
        || (IPAddress.IsLoopback(_listen.Address) && request.Host.Host is { Length: > 0 } host && !host.Equals("localhost", StringComparison.OrdinalIgnoreCase) && !IPAddress.TryParse(host, out _));

    private bool IsAllowed(HttpRequest request)
    {
        if (_tokenFile.Length == 0)
        {
            return true;
        }

        try
        {
            // Read each time: a new word needs no restart.
            byte[] wanted = SHA256.HashData(Encoding.UTF8.GetBytes($"Bearer {File.ReadAllText(_tokenFile).Trim()}"));
            return CryptographicOperations.FixedTimeEquals(wanted, SHA256.HashData(Encoding.UTF8.GetBytes(request.Headers.Authorization.ToString())));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Tells what has changed, line by line, until the other side leaves; an empty line of news when nothing has for a while.</summary>
    private async Task WatchAsync(HttpContext context)
    {
        string instance = context.Request.Query["instance"].ToString();
        if (!long.TryParse(context.Request.Query["after"].ToString() is { Length: > 0 } text ? text : "0", NumberStyles.None, CultureInfo.InvariantCulture, out long after))
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, "after: is not a revision").ConfigureAwait(false);
            return;
        }

        context.Response.ContentType = "application/x-ndjson";
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _ending.Token);
        try
        {
            while (true)
            {
                (IReadOnlyList<RegistryNews> lines, Task next) = _registry.NewsSince(instance, after);
                foreach (RegistryNews news in lines.Count > 0 ? lines : [new RegistryNews(_registry.Instance, after, false, false, [], [])])
                {
                    await context.Response.WriteAsync(JsonSerializer.Serialize(news, MeshJson.Default.RegistryNews) + "\n", ending.Token).ConfigureAwait(false);
                    (instance, after) = (news.Instance, news.Revision);
                }

                await context.Response.Body.FlushAsync(ending.Token).ConfigureAwait(false);
                await Task.WhenAny(next, Task.Delay(SaysSomethingEvery, ending.Token)).ConfigureAwait(false);

                // Thousands that register at once are told together.
                await Task.Delay(s_gather, ending.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The other side has left, or this one ends.
        }
    }

    private async Task PutEndpointAsync(HttpContext context)
    {
        string space = Of(context, "space"), service = Of(context, "service"), id = Of(context, "id");
        if (await ReadAsync(context, MeshJson.Default.EndpointRegistration).ConfigureAwait(false) is not { } endpoint)
        {
            return;
        }

        string? problem = RegistrationConversion.ProblemOfName("namespace", space) ?? RegistrationConversion.ProblemOfName("service", service)
            ?? (id.Length is 0 or > 128 ? "id: 1 to 128 characters are needed" : RegistrationConversion.ProblemOf(endpoint));
        if (problem is not null)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, problem).ConfigureAwait(false);
            return;
        }

        if (_registry.Put(space, service, id, endpoint) is not { } put)
        {
            await RefuseAsync(context, StatusCodes.Status507InsufficientStorage, "the registry is full").ConfigureAwait(false);
            return;
        }

        if (put.IsChanged)
        {
            _changed();
        }

        context.Response.StatusCode = put.IsNew ? StatusCodes.Status201Created : StatusCodes.Status200OK;
        await ReplyAsync(context, endpoint.LeaseSeconds).ConfigureAwait(false);
    }

    private Task HeartbeatAsync(HttpContext context) =>
        _registry.Renew(Of(context, "space"), Of(context, "service"), Of(context, "id")) is { } lease
            ? ReplyAsync(context, lease)
            : RefuseAsync(context, StatusCodes.Status404NotFound, "there is no such endpoint, or its lease has run out: register again");

    private async Task PutServiceAsync(HttpContext context)
    {
        string space = Of(context, "space"), name = Of(context, "service");
        if (await ReadAsync(context, MeshJson.Default.ServiceRegistration).ConfigureAwait(false) is not { } service)
        {
            return;
        }

        string? problem = RegistrationConversion.ProblemOfName("namespace", space) ?? RegistrationConversion.ProblemOfName("service", name) ?? RegistrationConversion.ProblemOf(service);
        if (problem is not null)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, problem).ConfigureAwait(false);
            return;
        }

        if (!_registry.Define(space, name, service))
        {
            await RefuseAsync(context, StatusCodes.Status507InsufficientStorage, "the registry is full").ConfigureAwait(false);
            return;
        }

        _changed();
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task FoundAsync(HttpContext context, bool isFound)
    {
        if (!isFound)
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, "there is no such thing").ConfigureAwait(false);
            return;
        }

        _changed();
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private void Expire()
    {
        if (_registry.Expire())
        {
            _changed();
        }
    }

    private static string Of(HttpContext context, string part) => Convert.ToString(context.GetRouteValue(part), CultureInfo.InvariantCulture) ?? "";

    private static async Task<T?> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            if (await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted).ConfigureAwait(false) is { } read)
            {
                return read;
            }

            await RefuseAsync(context, StatusCodes.Status400BadRequest, "the body is null; an object is needed").ConfigureAwait(false);
        }
        catch (JsonException exception)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, $"{exception.Path}: {exception.Message}").ConfigureAwait(false);
        }
        catch (BadHttpRequestException exception)
        {
            await RefuseAsync(context, exception.StatusCode, exception.Message).ConfigureAwait(false);
        }

        return null;
    }

    private Task ReplyAsync(HttpContext context, int lease) =>
        WriteAsync(context, JsonSerializer.Serialize(new RegistrationReply(lease, _registry.Revision), MeshJson.Default.RegistrationReply));

    private static Task RefuseAsync(HttpContext context, int status, string problem)
    {
        context.Response.StatusCode = status;
        return WriteAsync(context, JsonSerializer.Serialize(new RegistrationProblem(problem), MeshJson.Default.RegistrationProblem));
    }

    private static Task WriteAsync(HttpContext context, string json)
    {
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(json, context.RequestAborted);
    }
}
