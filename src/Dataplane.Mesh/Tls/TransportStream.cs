using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Dataplane.Mesh.Tls;

/// <summary>A connected socket as a stream, with what a relay must know and the runtime's own stream does not tell.</summary>
/// <remarks>
/// <see cref="HasEnded"/> tells whether the peer's FIN was read. A TLS stream that ends without it has ended by the peer's close_notify; one that ends
/// with it may have been cut off by anybody on the way (RFC 8446, 6.1). One reader and one writer at a time.
/// </remarks>
internal sealed class TransportStream(Socket socket) : Stream
{
    /// <summary>Bytes that are collected before a call of the socket while <see cref="BeginBatch"/> is in force.</summary>
    private const int BatchBytes = 72 << 10;

    private byte[]? _batch;
    private int _batched;
    private bool _isReadable;
    private RecordCount _records;

    internal Socket Socket { get; } = socket;

    /// <summary>Whether the peer has ended its sending, as TCP sees it.</summary>
    internal bool HasEnded { get; private set; }

    /// <summary>Whether just one record of TLS was read since the count began, and of the next nothing. A handshake takes two at least.</summary>
    internal bool HasOneRecord => _records.IsOne;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>From here on writes are collected, so that the records which TLS makes of a large piece go out in one call, until <see cref="EndBatchAsync"/>.</summary>
    internal void BeginBatch() => _batch = ArrayPool<byte>.Shared.Rent(BatchBytes);

    /// <summary>Sends what was collected.</summary>
    internal async ValueTask EndBatchAsync(CancellationToken cancellation)
    {
        byte[] batch = _batch!;
        int count = _batched;
        _batch = null;
        _batched = 0;
        try
        {
            if (count > 0)
                await SendAsync(batch.AsMemory(0, count), cancellation).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(batch);
        }
    }

    /// <summary>Gives the memory of a batch back without sending it: the stream is broken.</summary>
    internal void DropBatch()
    {
        if (_batch is { } batch)
            ArrayPool<byte>.Shared.Return(batch);
        _batch = null;
        _batched = 0;
    }

    /// <summary>Waits until there is something to read, or the end.</summary>
    internal ValueTask<int> WaitAsync()
    {
        CountRecords();
        if (_isReadable)
            return ValueTask.FromResult(0);
        _isReadable = true;
        return Socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, CancellationToken.None);
    }

    /// <summary>From here on what is read is TLS, whose records are counted.</summary>
    internal void BeginRecords() => _records = new RecordCount();

    /// <summary>Counts records from here.</summary>
    internal void CountRecords() => _records.Begin();

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // An empty read asks to be woken when there is something. After a wait that ended there is, and after a read that took all it had room for
        // most likely so: it costs no call then.
        if (buffer.IsEmpty && _isReadable)
            return ValueTask.FromResult(0);
        ValueTask<int> read = Socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
        if (!read.IsCompletedSuccessfully)
            return FinishAsync(read, buffer);
        int count = read.Result;
        Note(count, buffer.Span);
        return ValueTask.FromResult(count);
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_batch is not null && _batched + buffer.Length <= _batch.Length)
        {
            buffer.Span.CopyTo(_batch.AsSpan(_batched));
            _batched += buffer.Length;
            return ValueTask.CompletedTask;
        }

        return _batched > 0 ? SendBehindBatchAsync(buffer, cancellationToken) : SendAsync(buffer, cancellationToken);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count)
    {
        Span<byte> room = buffer.AsSpan(offset, count);
        int read = Socket.Receive(room);
        Note(read, room);
        return read;
    }

    /// <summary>The TLS of the runtime writes its last alert by this.</summary>
    public override void Write(byte[] buffer, int offset, int count) => Socket.Send(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer) => Socket.Send(buffer);

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Socket.Dispose();
        base.Dispose(disposing);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> FinishAsync(ValueTask<int> read, Memory<byte> buffer)
    {
        int count = await read.ConfigureAwait(false);
        Note(count, buffer.Span);
        return count;
    }

    private void Note(int count, ReadOnlySpan<byte> buffer)
    {
        if (buffer.IsEmpty)
            return;
        HasEnded |= count == 0;
        _isReadable = count == buffer.Length;
        _records.Add(buffer[..count]);
    }

    private async ValueTask SendBehindBatchAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellation)
    {
        await SendAsync(_batch.AsMemory(0, _batched), cancellation).ConfigureAwait(false);
        _batched = 0;
        await SendAsync(buffer, cancellation).ConfigureAwait(false);
    }

    /// <summary>Sends all of it: a socket that does not block may take a part.</summary>
    private ValueTask SendAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellation)
    {
        ValueTask<int> sent = Socket.SendAsync(buffer, SocketFlags.None, cancellation);
        if (!sent.IsCompletedSuccessfully)
            return SendRestAsync(sent, buffer, cancellation);
        int count = sent.Result;
        return count == buffer.Length ? ValueTask.CompletedTask : SendRestAsync(ValueTask.FromResult(count), buffer, cancellation);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask SendRestAsync(ValueTask<int> first, ReadOnlyMemory<byte> buffer, CancellationToken cancellation)
    {
        int sent = await first.ConfigureAwait(false);
        while (sent < buffer.Length)
            sent += await Socket.SendAsync(buffer[sent..], SocketFlags.None, cancellation).ConfigureAwait(false);
    }
}
