using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>A port of the same process: one end for the engine, the other for the code that embeds it, or for a test.</summary>
/// <remarks>
/// <para>Two rings with one producer and one consumer each. One thread at a time may send and one, which may be another, may
/// receive; the engine's end belongs to its worker. Neither direction allocates. Sending copies the frame into the ring and
/// publishes it at once; <see cref="SendMany"/> publishes, and wakes, once for all of its frames.</para>
/// <para>Frames sent before an engine opens the port wait in the ring. When an engine closes it, another may open it again.</para>
/// <para>Wake-ups, for those who write a worker: a receive that finds no frame announces that its thread may sleep, and the next
/// publication calls <see cref="IPortWaker.Wake"/>, behind a full fence. A waker that remembers its signal (an event, an eventfd) needs
/// nothing more. One that does nothing while its thread is awake is safe when the thread first writes that it is about to sleep, then passes
/// a full fence, then receives from every port once more, and sleeps only if that finds no frame either.</para>
/// </remarks>
public sealed class MemoryPort : IPortFactory
{
    private readonly MemoryPortOptions _options;
    private readonly MemoryLink _link;
    private readonly FrameRing _toEngine;
    private readonly FrameRing _fromEngine;
    private readonly EventWaker? _waker;
    private string? _openAs;
    private MacAddress _mac;
    private long _sent;
    private long _received;
    private long _refused;

    /// <summary>Allocates the rings.</summary>
    /// <param name="options">Sizes and address; null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public MemoryPort(MemoryPortOptions? options = null)
        : this(Checked(options), new MemoryLink(), null, null)
    {
        // The far side of a pair is an engine, which brings its own waker; here it is whoever calls WaitToReceive.
        _waker = new EventWaker();
        _fromEngine.SetWaker(_waker);
    }

    private MemoryPort(MemoryPortOptions options, MemoryLink link, FrameRing? toEngine, FrameRing? fromEngine)
    {
        _options = options;
        _link = link;
        _toEngine = toEngine ?? new FrameRing(options.RingSlots, options.SlotBytes);
        _fromEngine = fromEngine ?? new FrameRing(options.RingSlots, options.SlotBytes);
        _mac = options.Mac ?? default;
    }

    /// <inheritdoc/>
    public string Kind => "memory";

    /// <summary>Hardware address of the engine's end; zero until it is opened when the options name none. Any thread.</summary>
    public MacAddress Mac => _mac;

    /// <summary>Largest layer 3 packet in bytes.</summary>
    public int Mtu => _options.Mtu;

    /// <summary>The longest frame the rings take, in bytes without FCS.</summary>
    public int MaxFrameBytes => _toEngine.MaxFrameBytes;

    /// <summary>Whether this is one end of a <see cref="CreatePair"/>: both ends are then for engines and nobody else can send or receive.</summary>
    public bool IsPaired => _waker is null;

    /// <summary>Whether an engine has the port open. Any thread.</summary>
    public bool IsOpen => Volatile.Read(ref _openAs) is not null;

    /// <summary>Whether frames can pass. Any thread.</summary>
    public LinkState Link => _link.State;

    /// <summary>Frames sent to the engine since the port was made. Any thread.</summary>
    public long SentFrames => Volatile.Read(ref _sent);

    /// <summary>Frames received from the engine since the port was made. Any thread.</summary>
    public long ReceivedFrames => Volatile.Read(ref _received);

    /// <summary>Frames that were refused when sent because the ring was full or the link not up. Any thread.</summary>
    public long RefusedFrames => Volatile.Read(ref _refused);

    /// <summary>Frames sent that the engine has not given back. Any thread.</summary>
    public int PendingSent => _toEngine.Pending;

    /// <summary>Whether the engine has given back every frame sent and then found none when it looked again: as a worker flushes
    /// before it looks again, everything that came of those frames has left by then. For the thread that sends.</summary>
    public bool IsDrained => _toEngine.IsDrained;

    /// <summary>Frames transmitted by the engine that wait to be received. Any thread.</summary>
    public int PendingReceived => _fromEngine.Pending;

    /// <summary>Makes two ports that are wired to each other, for connecting two engines in one process.</summary>
    /// <param name="options">Sizes of both; an address, if any, goes to the first only. Null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public static (MemoryPort First, MemoryPort Second) CreatePair(MemoryPortOptions? options = null)
    {
        options = Checked(options);
        var link = new MemoryLink();
        var first = new MemoryPort(options, link, null, null);
        var second = new MemoryPort(options with { Mac = null }, link, first._fromEngine, first._toEngine);
        return (first, second);
    }

    /// <summary>Opens the engine's end.</summary>
    /// <param name="name">The port's name in the configuration.</param>
    /// <exception cref="InvalidOperationException">An engine has it open already.</exception>
    public IPort Open(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (Interlocked.CompareExchange(ref _openAs, name, null) is { } other)
            throw new InvalidOperationException($"Port '{name}': this in-memory port is already open as '{other}'; give every port of every engine its own.");
        _mac = _options.Mac ?? DerivedMac.FromName(name);
        return new MemoryPortEnd(_toEngine, _fromEngine, _link, _mac, _options.Mtu, () => Volatile.Write(ref _openAs, null));
    }

    /// <summary>Sets the link state, of both ends in a pair. Any thread; frames on their way still arrive.</summary>
    public void SetLink(LinkState state)
    {
        _link.State = state;
        _toEngine.WakeConsumer();
        if (IsPaired)
            _fromEngine.WakeConsumer();
    }

    /// <summary>Sends a frame to the engine.</summary>
    /// <param name="frame">From the first MAC byte, without FCS; 0 to <see cref="MaxFrameBytes"/> bytes.</param>
    /// <returns>False when the ring is full or the link not up.</returns>
    /// <exception cref="ArgumentException">The frame is too long for a slot.</exception>
    /// <exception cref="InvalidOperationException">The port is one of a pair.</exception>
    public bool TrySend(ReadOnlySpan<byte> frame)
    {
        ThrowIfPaired();
        ThrowIfTooLong(frame.Length);
        if (!_link.IsUp || _toEngine.Reserve(1) == 0)
        {
            _refused++;
            return false;
        }

        _toEngine.Write(frame);
        _toEngine.Publish();
        _sent++;
        return true;
    }

    /// <summary>Sends several frames to the engine that lie back to back.</summary>
    /// <param name="frames">The bytes of all frames, one behind the other.</param>
    /// <param name="lengths">The length of each, 0 to <see cref="MaxFrameBytes"/>.</param>
    /// <returns>How many were sent, counted from the first; fewer than asked when the ring is full, none when the link is not up.</returns>
    /// <exception cref="ArgumentException">A frame is too long, or the lengths are more than the bytes. Nothing was sent.</exception>
    /// <exception cref="InvalidOperationException">The port is one of a pair.</exception>
    public int SendMany(ReadOnlySpan<byte> frames, ReadOnlySpan<int> lengths)
    {
        ThrowIfPaired();
        long total = FrameRing.Measure(lengths, out uint longest);
        ThrowIfTooLong((int)longest);
        if (total > frames.Length)
            throw new ArgumentException($"The lengths add up to {total} bytes but there are only {frames.Length}.", nameof(lengths));
        int count = _link.IsUp ? _toEngine.Reserve(lengths.Length) : 0;
        _toEngine.Write(frames, lengths[..count]);
        _toEngine.Publish();
        _sent += count;
        _refused += lengths.Length - count;
        return count;
    }

    /// <summary>Receives a frame from the engine.</summary>
    /// <param name="buffer">Where to copy it; the bytes that find no room are lost.</param>
    /// <param name="length">Its length, which may be more than the buffer holds; 0 when there is none.</param>
    /// <returns>False when none waits.</returns>
    /// <exception cref="InvalidOperationException">The port is one of a pair, or a <see cref="ReceiveMany"/> is not disposed.</exception>
    public bool TryReceive(Span<byte> buffer, out int length)
    {
        using ReceivedFrames frames = ReceiveMany(1);
        length = 0;
        if (frames.Count == 0)
            return false;
        ReadOnlySpan<byte> frame = frames[0];
        length = frame.Length;
        frame[..Math.Min(length, buffer.Length)].CopyTo(buffer);
        return true;
    }

    /// <summary>Receives frames from the engine where they lie, without copying. Dispose the result to give their slots back.</summary>
    /// <param name="most">The largest number of frames to take.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="most"/> is negative.</exception>
    /// <exception cref="InvalidOperationException">The port is one of a pair, or an earlier result is not disposed.</exception>
    public ReceivedFrames ReceiveMany(int most = PacketBatch.Capacity)
    {
        ThrowIfPaired();
        ArgumentOutOfRangeException.ThrowIfNegative(most);
        if (_fromEngine.HasTaken)
            throw new InvalidOperationException("Frames received earlier are still held: dispose the ReceivedFrames first, for instance by 'using'.");
        int count = most == 0 ? 0 : _fromEngine.Take(most);
        _received += count;
        return new ReceivedFrames(_fromEngine, count);
    }

    /// <summary>Waits until a frame from the engine can be received.</summary>
    /// <param name="timeout">The longest wait; <see cref="Timeout.InfiniteTimeSpan"/> for no end.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when time was up.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="InvalidOperationException">The port is one of a pair.</exception>
    public bool WaitToReceive(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        ThrowIfPaired();
        long start = TimeProvider.System.GetTimestamp();
        using CancellationTokenRegistration wakeAtCancellation = cancellationToken.UnsafeRegister(static waker => ((EventWaker)waker!).Wake(), _waker);
        while (true)
        {
            // Reset comes before the looks: a wake in between, by a frame or by the token, is kept.
            _waker!.Reset();
            cancellationToken.ThrowIfCancellationRequested();
            if (_fromEngine.Available(1) > 0)
                return true;
            if (!_waker.Wait(Left(timeout, start)))
                return _fromEngine.Available(1) > 0;
        }
    }

    private static TimeSpan Left(TimeSpan timeout, long start)
    {
        if (timeout == Timeout.InfiniteTimeSpan)
            return timeout;
        TimeSpan left = timeout - TimeProvider.System.GetElapsedTime(start);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private static MemoryPortOptions Checked(MemoryPortOptions? options)
    {
        options ??= new MemoryPortOptions();
        options.Check();
        return options;
    }

    private void ThrowIfPaired()
    {
        if (IsPaired)
            throw new InvalidOperationException("The port is one of a pair: the other end of its rings belongs to the engine that opens the other port.");
    }

    private void ThrowIfTooLong(int length)
    {
        if ((uint)length > (uint)MaxFrameBytes)
            throw new ArgumentException($"A frame of {length} bytes: this port takes 0 to {MaxFrameBytes}; make it with a larger MemoryPortOptions.SlotBytes.");
    }
}
