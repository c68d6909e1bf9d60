using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace Dataplane.Mesh.Tests.Xds;

/// <summary>What a client asked, as on the wire; names with spaces between.</summary>
internal sealed record XdsRequest(int Stream, string Type, string Version, string Nonce, string Names, string? Problem, string Node);

/// <summary>A stand-in for a control plane: one stream of all resources (ADS), state of the world, by the letter of the protocol. It notes what it is asked and answers what is new.</summary>
internal sealed class XdsServer : IAsyncDisposable
{
    public const string Path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

    private readonly Lock _gate = new();
    private readonly List<XdsRequest> _requests = [];
    private readonly List<Call> _calls = [];
    private readonly Dictionary<string, (string Version, Dictionary<string, byte[]> Resources, string? ResourceType)> _state = [];
    private readonly X509Certificate2? _certificate;
    private WebApplication? _web;
    private int _port;
    private readonly Dictionary<string, string> _sent = [];
    private int _nonces;
    private int _streams;

    private XdsServer(X509Certificate2? certificate) => _certificate = certificate;

    private sealed class Call(HttpContext context, int number)
    {
        public HttpContext Context => context;

        public int Number => number;

        public SemaphoreSlim Writing { get; } = new(1);

        public Dictionary<string, string> Names { get; } = [];

        public Dictionary<string, string> Nonces { get; } = [];
    }

    public string Url => string.Create(CultureInfo.InvariantCulture, $"{(_certificate is null ? "http" : "https")}://127.0.0.1:{_port}");

    /// <summary>What calls are refused with; empty: they are not.</summary>
    public string RefusedWith { get; set; } = "";

    /// <summary>Subjects of the certificates that clients showed.</summary>
    public List<string> Clients { get; } = [];

    public XdsRequest[] Requests
    {
        get
        {
            lock (_gate)
            {
                return [.. _requests];
            }
        }
    }

    /// <summary>The version that was sent with a nonce.</summary>
    public string VersionOf(string nonce)
    {
        lock (_gate)
        {
            return _sent[nonce];
        }
    }

    public static async Task<XdsServer> StartAsync(X509Certificate2? certificate = null)
    {
        var server = new XdsServer(certificate);
        await server.StartAgainAsync();
        return server;
    }

    public async Task StartAgainAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, _port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (_certificate is not null)
                {
                    listen.UseHttps(_certificate, https =>
                    {
                        https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                        https.AllowAnyClientCertificate();
                    });
                }
            });
        });
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
        Call[] calls;
        lock (_gate)
        {
            calls = [.. _calls];
        }

        foreach (Call call in calls)
        {
            call.Context.Abort();
        }

        if (_web is { } web)
        {
            _web = null;
            await web.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    /// <summary>All resources of a type from now on; whoever follows the type is told.</summary>
    public async Task SetAsync(string type, string version, Dictionary<string, byte[]> resources, string? resourceType = null)
    {
        Call[] calls;
        lock (_gate)
        {
            _state[type] = (version, resources, resourceType);
            calls = [.. _calls.Where(call => call.Names.ContainsKey(type))];
        }

        foreach (Call call in calls)
        {
            await SendAsync(call, type);
        }
    }

    /// <summary>Sends resources of a type that nobody has asked for to everybody.</summary>
    public async Task PushAsync(string type, string version, Dictionary<string, byte[]> resources)
    {
        Call[] calls;
        lock (_gate)
        {
            _state[type] = (version, resources, null);
            calls = [.. _calls];
            Array.ForEach(calls, call => call.Names[type] = "");
        }

        foreach (Call call in calls)
        {
            await SendAsync(call, type);
        }
    }

    private async Task AnswerAsync(HttpContext context)
    {
        context.Response.ContentType = "application/grpc";
        if (RefusedWith.Length > 0 || context.Request.Path != Path)
        {
            context.Response.Headers["grpc-status"] = "7";
            context.Response.Headers["grpc-message"] = RefusedWith;
            return;
        }

        Assert.Equal("trailers", context.Request.Headers.TE);
        Call call;
        lock (_gate)
        {
            call = new Call(context, ++_streams);
            _calls.Add(call);
            Clients.Add(context.Connection.ClientCertificate?.Subject ?? "");
        }

        try
        {
            while (await ReadAsync(context.Request.Body) is { } message)
            {
                if (Note(call, message) is { } type)
                {
                    await SendAsync(call, type);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The client, or StopAsync, has broken off.
        }
        finally
        {
            lock (_gate)
            {
                _calls.Remove(call);
            }
        }
    }

    private static async Task<byte[]?> ReadAsync(Stream body)
    {
        byte[] header = new byte[5];
        if (await body.ReadAtLeastAsync(header, 5, throwOnEndOfStream: false) < 5)
        {
            return null;
        }

        byte[] message = new byte[BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(1))];
        await body.ReadExactlyAsync(message);
        return message;
    }

    /// <summary>Notes a request; the type to be sent now if it asks for something that was not sent: an answer to an answer is not, nor is one to an older answer.</summary>
    private string? Note(Call call, byte[] message)
    {
        List<(int Field, byte[] Bytes, ulong Number)> fields = Proto.Read(message);
        string TextOf(IEnumerable<(int Field, byte[] Bytes, ulong Number)> all, int field) => all.Where(one => one.Field == field).Select(one => Encoding.UTF8.GetString(one.Bytes)).LastOrDefault("");
        byte[]? problem = fields.Where(one => one.Field == 6).Select(one => one.Bytes).FirstOrDefault(), node = fields.Where(one => one.Field == 2).Select(one => one.Bytes).FirstOrDefault();
        var request = new XdsRequest(call.Number, TextOf(fields, 4), TextOf(fields, 1), TextOf(fields, 5), string.Join(' ', fields.Where(one => one.Field == 3).Select(one => Encoding.UTF8.GetString(one.Bytes))),
            problem is null ? null : TextOf(Proto.Read(problem), 2), node is null ? "" : $"{TextOf(Proto.Read(node), 1)}/{TextOf(Proto.Read(node), 2)}");
        lock (_gate)
        {
            _requests.Add(request);
            bool isNew = !call.Names.TryGetValue(request.Type, out string? before) || (request.Nonce == call.Nonces.GetValueOrDefault(request.Type, "") && before != request.Names);
            call.Names[request.Type] = request.Names;
            return isNew ? request.Type : null;
        }
    }

    private async Task SendAsync(Call call, string type)
    {
        await call.Writing.WaitAsync();
        try
        {
            byte[] response;
            lock (_gate)
            {
                if (!_state.TryGetValue(type, out (string Version, Dictionary<string, byte[]> Resources, string? ResourceType) state))
                {
                    return;
                }

                string nonce = call.Nonces[type] = string.Create(CultureInfo.InvariantCulture, $"n{++_nonces}");
                _sent[nonce] = state.Version;
                string[] names = call.Names[type].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                response = Proto.Response(type, state.Version, nonce, state.Resources.Where(pair => names.Length == 0 || names.Contains(pair.Key)).Select(pair => pair.Value), state.ResourceType);
            }

            await call.Context.Response.Body.WriteAsync(Proto.Frame(response));
            await call.Context.Response.Body.FlushAsync();
        }
        finally
        {
            call.Writing.Release();
        }
    }
}
