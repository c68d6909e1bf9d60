using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Dataplane.Mesh.Tests.Kubernetes;

/// <summary>A stand-in for an API server: versions, pages of one moment, histories that are forgotten, bookmarks, and all the ways in which streams end.</summary>
internal sealed class ApiServer : IAsyncDisposable
{
    private sealed record Event(long Version, string Path, string Type, string Json);

    private sealed record Watch(string Path, Channel<Event?> Events, HttpContext Context);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, SortedDictionary<string, JsonObject>> _collections = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (long Version, Queue<string> Left)> _pages = new(StringComparer.Ordinal);
    private readonly List<Event> _history = [];
    private readonly List<Watch> _watches = [];
    private readonly X509Certificate2? _certificate;
    private WebApplication? _web;
    private long _version = 1000;
    private long _forgotten;
    private int _port;

    private ApiServer(X509Certificate2? certificate) => _certificate = certificate;

    public string Url => string.Create(CultureInfo.InvariantCulture, $"{(_certificate is null ? "http" : "https")}://127.0.0.1:{_port}");

    /// <summary>Word that must be shown; empty: none.</summary>
    public string Token { get; set; } = "";

    /// <summary>Status code of every answer while it is not 0.</summary>
    public int Broken { get; set; }

    /// <summary>Bytes in one piece of a watch.</summary>
    public int PieceBytes { get; set; } = int.MaxValue;

    /// <summary>Whether forgotten versions are told by the status of the answer instead of an event.</summary>
    public bool IsGoneByStatus { get; set; }

    /// <summary>Whether the places where pages left off are forgotten at once.</summary>
    public bool ForgetsPages { get; set; }

    public int Lists { get; private set; }

    public int Pages { get; private set; }

    public int WatchesBegun { get; private set; }

    public HashSet<string> Protocols { get; } = [];

    public int OpenWatches
    {
        get
        {
            lock (_gate)
            {
                return _watches.Count;
            }
        }
    }

    public static async Task<ApiServer> StartAsync(X509Certificate2? certificate = null)
    {
        var server = new ApiServer(certificate);
        await server.StartAgainAsync();
        return server;
    }

    public async Task StartAgainAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, _port, listen =>
        {
            if (_certificate is not null)
            {
                listen.UseHttps(_certificate);
            }
        }));
        if (_certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.Logging.SetMinimumLevel(LogLevel.None);
        WebApplication web = builder.Build();
        web.Run(AnswerAsync);
        await web.StartAsync();
        _web = web;
        _port = new Uri(web.Urls.First()).Port;
    }

    public async Task StopAsync()
    {
        AbortWatches();
        if (_web is { } web)
        {
            _web = null;
            using var atOnce = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
            await web.StopAsync(atOnce.Token);
            await web.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    public void PutService(string name, string spec, string space = "default") => Put("Service", space, name, new JsonObject { ["spec"] = JsonNode.Parse(spec) });

    public void PutSlice(string service, string name, params string[] addresses) => Put("EndpointSlice", "default", name, new JsonObject
    {
        ["addressType"] = "IPv4",
        ["ports"] = JsonNode.Parse("""[{"name":"http","port":8080,"protocol":"TCP"}]"""),
        ["endpoints"] = new JsonArray([.. addresses.Select(address => JsonNode.Parse($$$"""{"addresses":["{{{address}}}"],"conditions":{"ready":true,"serving":true,"terminating":false}}"""))]),
    }, service);

    public void Put(string kind, string space, string name, JsonObject content, string service = "")
    {
        lock (_gate)
        {
            JsonObject item = (JsonObject)content.DeepClone();
            item["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = space, ["resourceVersion"] = Text(++_version) };
            if (service.Length > 0)
            {
                item["metadata"]!["labels"] = new JsonObject { ["kubernetes.io/service-name"] = service };
            }

            string path = kind == "Service" ? "services" : "endpointslices";
            SortedDictionary<string, JsonObject> collection = Collection(path);
            string type = collection.ContainsKey($"{space}/{name}") ? "MODIFIED" : "ADDED";
            collection[$"{space}/{name}"] = item;
            Tell(new Event(_version, path, type, item.ToJsonString()));
        }
    }

    public void Delete(string path, string key)
    {
        lock (_gate)
        {
            SortedDictionary<string, JsonObject> collection = Collection(path);
            JsonObject item = collection[key];
            collection.Remove(key);
            item["metadata"]!["resourceVersion"] = Text(++_version);
            Tell(new Event(_version, path, "DELETED", item.ToJsonString()));
        }
    }

    /// <summary>Forgets all that has happened until now.</summary>
    public void Compact()
    {
        lock (_gate)
        {
            _history.Clear();
            _forgotten = _version;
        }
    }

    /// <summary>Says to all watches which version is now.</summary>
    public void Bookmark()
    {
        lock (_gate)
        {
            _version++;
            foreach (Watch watch in _watches)
            {
                watch.Events.Writer.TryWrite(new Event(_version, watch.Path, "BOOKMARK", $$$"""{"metadata":{"resourceVersion":"{{{_version}}}"}}"""));
            }
        }
    }

    /// <summary>Says an error in all watches, which then end.</summary>
    public void Fail(int code)
    {
        lock (_gate)
        {
            foreach (Watch watch in _watches)
            {
                watch.Events.Writer.TryWrite(Error(watch.Path, code));
                watch.Events.Writer.TryComplete();
            }
        }
    }

    /// <summary>Ends all watches as a server does that has kept them for long enough.</summary>
    public void EndWatches() => OnWatches(watch => watch.Events.Writer.TryComplete());

    /// <summary>Ends all watches in the middle of a line.</summary>
    public void CutWatches() => OnWatches(watch =>
    {
        watch.Events.Writer.TryWrite(null);
        watch.Events.Writer.TryComplete();
    });

    public void AbortWatches() => OnWatches(watch => watch.Context.Abort());

    /// <summary>Says nothing any more to the watches of now, as if what is between had forgotten them.</summary>
    public void SilenceWatches() => OnWatches(static _ => { }, isForgotten: true);

    private void OnWatches(Action<Watch> act, bool isForgotten = false)
    {
        lock (_gate)
        {
            _watches.ForEach(act);
            if (isForgotten)
            {
                _watches.Clear();
            }
        }
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private SortedDictionary<string, JsonObject> Collection(string path)
    {
        if (!_collections.TryGetValue(path, out SortedDictionary<string, JsonObject>? collection))
        {
            _collections[path] = collection = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal);
        }

        return collection;
    }

    private void Tell(Event happened)
    {
        _history.Add(happened);
        foreach (Watch watch in _watches.Where(watch => IsOf(happened, watch.Path)))
        {
            watch.Events.Writer.TryWrite(happened);
        }
    }

    /// <summary>Paths are <c>services</c>, or <c>NAMESPACE/services</c>.</summary>
    private static bool IsOf(Event happened, string path) =>
        path.Split('/') is [var space, var own] ? happened.Path == own && happened.Json.Contains($"\"namespace\":\"{space}\"", StringComparison.Ordinal) : happened.Path == path;

    private static Event Error(string path, int code) =>
        new(0, path, "ERROR", $$"""{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"as the test wants","reason":"Expired","code":{{code}}}""");

    private async Task AnswerAsync(HttpContext context)
    {
        string path = context.Request.Path.Value!.Replace("/apis/discovery.k8s.io/v1/", "", StringComparison.Ordinal).Replace("/api/v1/", "", StringComparison.Ordinal)
            .Replace("namespaces/", "", StringComparison.Ordinal);
        bool isKnown = Token.Length == 0 || context.Request.Headers.Authorization == $"Bearer {Token}";
        if (Broken != 0 || !isKnown)
        {
            await RefuseAsync(context, Broken != 0 ? Broken : 401);
            return;
        }

        Protocols.Add(context.Request.Protocol);
        await (context.Request.Query["watch"] == "true" ? WatchAsync(context, path) : ListAsync(context, path));
    }

    private static Task RefuseAsync(HttpContext context, int code)
    {
        context.Response.StatusCode = code;
        return context.Response.WriteAsync(Error("", code).Json);
    }

    private Task ListAsync(HttpContext context, string path)
    {
        long version;
        string next = "";
        string[] items;
        lock (_gate)
        {
            string token = context.Request.Query["continue"].ToString();
            int limit = int.TryParse(context.Request.Query["limit"], out int number) ? number : int.MaxValue;
            string[] parts = path.Split('/');
            (long Version, Queue<string> Left) place = token.Length > 0 ? _pages.GetValueOrDefault(token)
                : (_version, new Queue<string>(Collection(parts[^1]).Where(pair => parts.Length == 1 || pair.Key.StartsWith($"{parts[0]}/", StringComparison.Ordinal)).Select(pair => pair.Value.ToJsonString())));
            if (place.Left is null || (token.Length > 0 && ForgetsPages))
            {
                return RefuseAsync(context, 410);
            }

            Lists += token.Length == 0 ? 1 : 0;
            Pages++;
            (version, items) = (place.Version, [.. Enumerable.Range(0, Math.Min(limit, place.Left.Count)).Select(_ => place.Left.Dequeue())]);
            if (place.Left.Count > 0)
            {
                next = $"{path}+{Pages}==";
                _pages[next] = place;
            }
        }

        string left = next.Length > 0 ? $",\"continue\":\"{next}\"" : "";
        return context.Response.WriteAsync($$$"""{"kind":"List","metadata":{"resourceVersion":"{{{version}}}"{{{left}}}},"items":[{{{string.Join(',', items)}}}]}""");
    }

    private async Task WatchAsync(HttpContext context, string path)
    {
        var watch = new Watch(path, Channel.CreateUnbounded<Event?>(), context);
        long from = long.Parse(context.Request.Query["resourceVersion"].ToString(), CultureInfo.InvariantCulture);
        bool isGone;
        lock (_gate)
        {
            WatchesBegun++;
            isGone = from < _forgotten;
            if (isGone)
            {
                watch.Events.Writer.TryWrite(Error(path, 410));
                watch.Events.Writer.TryComplete();
            }
            else
            {
                _history.Where(happened => happened.Version > from && IsOf(happened, path)).ToList().ForEach(happened => watch.Events.Writer.TryWrite(happened));
                _watches.Add(watch);
            }
        }

        if (isGone && IsGoneByStatus)
        {
            await RefuseAsync(context, 410);
            return;
        }

        try
        {
            await context.Response.StartAsync();
            await context.Response.Body.FlushAsync();
            await foreach (Event? happened in watch.Events.Reader.ReadAllAsync(context.RequestAborted))
            {
                string line = happened is null ? """{"type":"ADDED","object":{"meta""" : $$$"""{"type":"{{{happened.Type}}}","object":{{{happened.Json}}}}""" + "\n";
                byte[] bytes = Encoding.UTF8.GetBytes(line);
                for (int at = 0; at < bytes.Length; at += PieceBytes)
                {
                    await context.Response.Body.WriteAsync(bytes.AsMemory(at, Math.Min(PieceBytes, bytes.Length - at)), context.RequestAborted);
                    await context.Response.Body.FlushAsync(context.RequestAborted);
                    if (PieceBytes == int.MaxValue)
                    {
                        break;
                    }
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // The other side has gone.
        }
        finally
        {
            lock (_gate)
            {
                _watches.Remove(watch);
            }
        }
    }
}
