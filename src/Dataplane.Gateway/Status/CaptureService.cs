using System.Collections.Concurrent;
using System.Globalization;
using Dataplane.Capturing;
using Dataplane.Gateway.Networks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Dataplane.Gateway.Status;

/// <summary>Hands the packets of captures to whoever has asked for them, as long as they read.</summary>
internal sealed class CaptureService(DataplaneEngine engine)
{
    /// <summary>By the name that whoever asked has given it, until its figures have been asked for.</summary>
    private readonly ConcurrentDictionary<string, PacketCapture> _captures = new();

    /// <summary>Adds what is answered.</summary>
    public void Map(WebApplication web)
    {
        web.MapMethods("/v1/captures/{id}", ["GET"], RunAsync);
        ControlServer.On(web, "DELETE", "/v1/captures/{id}", StatusJson.Default.CaptureFigures, context => Task.FromResult(End(context)));
    }

    /// <summary>Ends a capture, if it has not ended, and says what it has taken.</summary>
    private CaptureFigures End(HttpContext context)
    {
        string id = (string)context.GetRouteValue("id")!;
        if (!_captures.TryRemove(id, out PacketCapture? capture))
        {
            throw new NetworkException(NetworkFault.NotFound, $"There is no capture {id}.");
        }

        capture.End();
        return new CaptureFigures(capture.Captured, capture.NotCaptured);
    }

    private async Task RunAsync(HttpContext context)
    {
        string id = (string)context.GetRouteValue("id")!;
        PacketCapture capture;
        try
        {
            capture = engine.Capture(OptionsOf(context));
        }
#pragma warning disable CA1031 // Whatever went wrong is told to whoever asked.
        catch (Exception refused)
#pragma warning restore CA1031
        {
            await ControlServer.RefuseAsync(context, refused).ConfigureAwait(false);
            return;
        }

        _captures[id] = capture;
        try
        {
            await SendAsync(context, capture).ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException)
        {
            // Whoever asked reads no more, and will not ask for figures either.
            _captures.TryRemove(id, out _);
        }
        finally
        {
            await capture.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static async Task SendAsync(HttpContext context, PacketCapture capture)
    {
        // A reader may look at what it has for as long as it likes: what it is too slow for is counted.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }

        if (Asked(context, "text") is null)
        {
            context.Response.ContentType = "application/x-pcapng";
            await context.Response.StartAsync(context.RequestAborted).ConfigureAwait(false);
            await capture.WriteAsync(context.Response.Body, context.RequestAborted).ConfigureAwait(false);
            return;
        }

        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.StartAsync(context.RequestAborted).ConfigureAwait(false);
        await context.Response.Body.FlushAsync(context.RequestAborted).ConfigureAwait(false);
        await foreach (CapturedPacket packet in capture.ReadAllAsync(context.RequestAborted).ConfigureAwait(false))
        {
            await context.Response.WriteAsync(packet + "\n", context.RequestAborted).ConfigureAwait(false);
        }
    }

    private static CaptureOptions OptionsOf(HttpContext context) => new()
    {
        Filter = Asked(context, "filter") ?? "",
        SnapLengthBytes = (int?)Number(context, "snap") ?? ushort.MaxValue,
        MaxPackets = Number(context, "packets"),
        MaxBytes = Number(context, "bytes"),
        Duration = Number(context, "seconds") is { } seconds ? TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue)) : null,
    };

    private static long? Number(HttpContext context, string name) => Asked(context, name) is not { } text ? null
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : throw new FormatException($"{name} \"{text}\" is not a whole number.");

    private static string? Asked(HttpContext context, string name) => context.Request.Query[name] is [{ Length: > 0 } value] ? value : null;
}

/// <summary>What a capture has taken.</summary>
/// <param name="Captured">Packets handed over.</param>
/// <param name="NotCaptured">Packets it asked for that there was no room for.</param>
internal sealed record CaptureFigures(long Captured, long NotCaptured);
