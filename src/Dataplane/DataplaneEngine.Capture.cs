using Dataplane.Capturing;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Microsoft.Extensions.ObjectPool;

namespace Dataplane;

/// <content>Packets copied out while they pass.</content>
public sealed partial class DataplaneEngine
{
    private readonly Lock _capturing = new();
    private readonly List<PacketCapture> _captures = [];

    /// <summary>As many as two workers need are kept while nothing is captured.</summary>
    private readonly DefaultObjectPool<CaptureStaging> _stagings = new(new DefaultPooledObjectPolicy<CaptureStaging>(), maximumRetained: 4);
    private long _capturedBefore;
    private long _notCapturedBefore;

    /// <summary>Begins to copy packets out, with what becomes of each. Accounting does not change, and forwarding does not wait: what the reader is too slow for is counted as not captured.</summary>
    /// <param name="options">Which packets, and when it ends; null: all, until it is disposed.</param>
    /// <returns>The capture, to be read and disposed. At most 8 at a time.</returns>
    /// <exception cref="FormatException">The filter is none; the message says where.</exception>
    /// <exception cref="ArgumentException">The filter names a port that there is not.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A limit is out of its range.</exception>
    /// <exception cref="InvalidOperationException">The engine is not running, or there are 8 captures.</exception>
    /// <remarks>Any thread; waits for the workers' next quiescent points. While nothing is captured it costs nothing; while something is, the headers of every packet are read once more at
    /// each side, and what is taken is copied twice.</remarks>
    public PacketCapture Capture(CaptureOptions? options = null)
    {
        options ??= new CaptureOptions();
        CheckLimits(options);
        var filter = CaptureFilter.Parse(options.Filter);
        if (State != EngineState.Running || _closed)
        {
            throw new InvalidOperationException($"The engine is {State}; only a running one can be captured.");
        }

        lock (_capturing)
        {
            if (_captures.Count >= CaptureTap.MostCaptures)
            {
                throw new InvalidOperationException($"There are {CaptureTap.MostCaptures} captures at this time, which is the most: end one.");
            }

            PortSet ports = _ports;
            filter = filter.Resolve(name => ports.Find(name) is var id and >= 0 ? id
                : throw new ArgumentException($"There is no port \"{name}\"; the ports are {string.Join(", ", ports.Entries.Select(entry => entry.Spec.Name))}.", nameof(options)));
            WorkerGroup workers = _workers!;
            CaptureLane[] lanes = [.. Enumerable.Range(0, workers.Count).Select(_ => new CaptureLane(filter, options.SnapLengthBytes, options.BufferBytes))];
            long unixNs = (_options.TimeProvider.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100;
            var capture = new PacketCapture(options, lanes, unixNs - workers[0].NowNs, EndCapture);
            _captures.Add(capture);
            SetTaps();
            return capture;
        }
    }

    /// <summary>Packets copied out by captures since the start, and packets they asked for that there was no room for. Any thread.</summary>
    public (long Captured, long NotCaptured) ReadCaptures()
    {
        lock (_capturing)
        {
            return (_capturedBefore + _captures.Sum(capture => capture.CopiedOut), _notCapturedBefore + _captures.Sum(capture => capture.NotCaptured));
        }
    }

    private static void CheckLimits(CaptureOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SnapLengthBytes, 64);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.SnapLengthBytes, ushort.MaxValue);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BufferBytes, CaptureOptions.LeastBuffer);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.BufferBytes, CaptureOptions.MostBuffer);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxPackets ?? 1, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxBytes ?? 1, 1);
    }

    private void EndCapture(PacketCapture capture)
    {
        lock (_capturing)
        {
            if (_captures.Remove(capture))
            {
                SetTaps();
                _capturedBefore += capture.CopiedOut;
                _notCapturedBefore += capture.NotCaptured;
            }
        }
    }

    /// <summary>When the engine ends: readers get what there is.</summary>
    private void EndCaptures()
    {
        PacketCapture[] captures;
        lock (_capturing)
        {
            captures = [.. _captures];
        }

        Array.ForEach(captures, capture => capture.End());
    }

    private void SetTaps()
    {
        for (int worker = 0; worker < _workers!.Count; worker++)
        {
            CaptureTap? tap = _captures.Count == 0 ? null : new CaptureTap([.. _captures.Select(capture => capture.LaneOf(worker))], _stagings), before = null;
            _workers.AtQuiescentPoint(worker, context => (before, context.Tap) = (context.Tap, tap));

            // The worker is past every batch that has seen the one before.
            before?.Return(_stagings);
        }
    }
}
