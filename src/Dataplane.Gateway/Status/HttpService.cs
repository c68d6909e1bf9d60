using System.Net;
using Dataplane.Mesh.Relay;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Dataplane.Gateway.Status;

/// <summary>An HTTP server of the program's own: listens until it is disposed of, and says nothing by itself.</summary>
internal sealed class HttpService : IAsyncDisposable
{
    private readonly WebApplication _web;

    private int _isDisposed;

    private HttpService(WebApplication web) => _web = web;

    /// <summary>Where it listens, such as <c>http://127.0.0.1:9100</c>.</summary>
    public string Address => _web.Urls.First();

    /// <summary>Starts one for <c>--metrics</c>.</summary>
    /// <param name="endPoint">Where it listens.</param>
    /// <param name="configure">Adds services.</param>
    /// <param name="map">Adds what is answered.</param>
    /// <param name="isShared">Whether another process of the same user that asks for the same may listen there as well (SO_REUSEPORT, socket(7)).</param>
    /// <exception cref="IOException">The address is in use or not of this machine.</exception>
    public static Task<HttpService> StartMetricsAsync(IPEndPoint endPoint, Action<WebApplicationBuilder> configure, Action<WebApplication> map, bool isShared = false) =>
        StartAsync($"--metrics {endPoint}", kestrel => kestrel.Listen(endPoint), !isShared ? configure : builder =>
        {
            builder.Services.Configure<SocketTransportOptions>(transport => transport.CreateBoundListenSocket = _ => Sockets.BindShared(endPoint));
            configure(builder);
        }, map);

    /// <summary>Starts one.</summary>
    /// <param name="what">What asked for it, for the message when it cannot be.</param>
    /// <param name="listen">Says where.</param>
    /// <param name="configure">Adds services.</param>
    /// <param name="map">Adds what is answered.</param>
    /// <exception cref="IOException">It cannot listen there.</exception>
    public static async Task<HttpService> StartAsync(string what, Action<KestrelServerOptions> listen, Action<WebApplicationBuilder> configure, Action<WebApplication> map)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(listen);
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.Services.AddRoutingCore();
        configure(builder);
        WebApplication web = builder.Build();
        map(web);
        try
        {
            await web.StartAsync().ConfigureAwait(false);
            return new HttpService(web);
        }
        catch (Exception refused)
        {
            await web.DisposeAsync().ConfigureAwait(false);
            throw refused is IOException ? refused : new IOException($"{what}: {refused.Message}", refused);
        }
    }

    /// <summary>Stops listening. Twice does no harm.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
        {
            return;
        }

        await _web.StopAsync().ConfigureAwait(false);
        await _web.DisposeAsync().ConfigureAwait(false);
    }
}
