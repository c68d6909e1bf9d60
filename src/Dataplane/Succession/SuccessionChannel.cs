using Dataplane.Native;

namespace Dataplane.Succession;

/// <summary>The connection between the process that ends and its successor: whole messages, each with at most one descriptor.</summary>
/// <remarks>One thread at a time uses it. It waits at most as long as it is told.</remarks>
internal sealed class SuccessionChannel : IDisposable
{
    private const int MaxMessageBytes = 16 << 10;
    private const long NsPerMs = 1_000_000;

    private readonly FileDescriptor _socket;
    private readonly EventDescriptor _wake = new();
    private readonly Poller _poller;
    private readonly byte[] _buffer = new byte[MaxMessageBytes];

    /// <summary>Takes over a connected socket.</summary>
    public SuccessionChannel(FileDescriptor socket)
    {
        _socket = socket;
        _poller = new Poller([socket], _wake);
    }

    /// <summary>Whether the other process runs as the same user.</summary>
    public bool IsPeerSameUser => UnixSocket.IsPeerSameUser(_socket);

    /// <summary>Sends a message; waits while the other process has not taken those before.</summary>
    /// <returns>False when it is gone or takes nothing for a second.</returns>
    public bool Send(SuccessionKind kind, ReadOnlySpan<byte> body = default, FileDescriptor? passed = null)
    {
        byte[] message = [(byte)kind, .. body];
        for (int tries = 0; tries < 1000; tries++)
        {
            if (UnixSocket.TrySend(_socket, message, passed))
            {
                return true;
            }

            _poller.Wait(NsPerMs);
            if (_poller.HasError(0))
            {
                return false;
            }
        }

        return false;
    }

    /// <summary>Sends bytes of any number behind a message, in shared memory.</summary>
    public bool SendMemory(SuccessionKind kind, ReadOnlySpan<byte> bytes)
    {
        using SharedRegion region = SharedRegion.Create("dataplane-handover", bytes.Length);
        bytes.CopyTo(region.Span);
        return Send(kind, BitConverter.GetBytes((long)bytes.Length), region.Descriptor);
    }

    /// <summary>Takes the next message.</summary>
    /// <param name="patience">How long to wait for it.</param>
    public SuccessionMessage Receive(TimeSpan patience)
    {
        long end = MonotonicClock.NowNs + (long)(patience.TotalMilliseconds * NsPerMs);
        while (true)
        {
            int length = UnixSocket.Receive(_socket, _buffer, out FileDescriptor? passed, out _);
            if (length > 0 && length <= MaxMessageBytes)
            {
                return new SuccessionMessage((SuccessionKind)_buffer[0], _buffer[1..length], passed);
            }

            passed?.Dispose();
            long left = end - MonotonicClock.NowNs;
            if (length >= 0 || left <= 0)
            {
                return default;
            }

            _poller.Wait(left);
            if (_poller.Woken)
            {
                return default;
            }
        }
    }

    /// <summary>Takes the next message, which must be of a kind.</summary>
    /// <exception cref="SuccessionException">It is another, or none came.</exception>
    public SuccessionMessage Expect(SuccessionKind kind, TimeSpan patience)
    {
        SuccessionMessage message = Receive(patience);
        if (message.Kind == kind)
        {
            return message;
        }

        message.Passed?.Dispose();
        throw new SuccessionException(message.Kind == SuccessionKind.Gone ? $"the other process is gone, or silent where {kind} was expected" : $"{kind} was expected, {message.Kind} came");
    }

    /// <summary>The bytes that <see cref="SendMemory"/> has sent.</summary>
    /// <exception cref="SuccessionException">The message has none.</exception>
    public static byte[] BytesOf(SuccessionMessage message)
    {
        if (message.Passed is null || message.Body.Length != sizeof(long))
        {
            message.Passed?.Dispose();
            throw new SuccessionException($"{message.Kind} came without its memory");
        }

        SharedRegionRefusal refusal = SharedRegion.TryAdopt(message.Passed, BitConverter.ToUInt64(message.Body), out SharedRegion? region);
        if (region is null)
        {
            message.Passed.Dispose();
            throw new SuccessionException($"the memory of {message.Kind} cannot be used ({refusal})");
        }

        using (region)
        {
            return region.Span.ToArray();
        }
    }

    /// <summary>Takes no more: each message of the other process was either received by the next <see cref="Receive"/>, or its sending fails.</summary>
    public void EndReceiving() => UnixSocket.EndReceiving(_socket);

    /// <summary>Ends the waiting of another thread. Any thread.</summary>
    public void Wake() => _wake.Signal();

    /// <summary>Closes the connection, which the other process notices.</summary>
    public void Dispose()
    {
        _socket.Dispose();
        _poller.Dispose();
        _wake.Dispose();
    }
}
