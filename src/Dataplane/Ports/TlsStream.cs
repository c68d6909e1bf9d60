using System.Net.Security;
using System.Runtime.CompilerServices;

namespace Dataplane.Ports;

/// <summary>TLS of which one direction may end while the other is read.</summary>
/// <remarks>
/// <see cref="SslStream"/> guards reading and writing against each other, but not the end of a direction: <c>ShutdownAsync</c> calls <c>SSL_shutdown</c>, which looks at what has come as well, with no lock against a
/// reader that decrypts on another thread, and OpenSSL's objects are not made for two. Here the two take turns. The turn is held only while TLS is at work, never while anything is waited for:
/// so neither direction holds up the other. One reader at a time.
/// </remarks>
internal sealed class TlsStream : SslStream
{
    private readonly Turn _turn;

    /// <summary>Lays TLS over a stream, which it owns.</summary>
    public TlsStream(Stream inner)
        : this(inner, new Turn())
    {
    }

    private TlsStream(Stream inner, Turn turn)
        : base(new Below(inner, turn), leaveInnerStreamOpen: false) => _turn = turn;

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await _turn.TakeForReadingAsync().ConfigureAwait(false);
        try
        {
            return await base.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.EndReading();
        }
    }

    /// <inheritdoc/>
    public override async Task ShutdownAsync()
    {
        await _turn.TakeAsync().ConfigureAwait(false);
        Task sent;
        try
        {
            sent = base.ShutdownAsync();
        }
        finally
        {
            _turn.End();
        }

        await sent.ConfigureAwait(false);
    }

    /// <summary>Whose turn it is.</summary>
#pragma warning disable CA1001 // It makes no handle to wait for, and so has nothing to give back.
    private sealed class Turn
#pragma warning restore CA1001
    {
        private readonly SemaphoreSlim _free = new(1, 1);
        private bool _isReading;

        public Task TakeAsync() => _free.WaitAsync();

        public void End() => _free.Release();

        public async ValueTask TakeForReadingAsync()
        {
            await _free.WaitAsync().ConfigureAwait(false);
            _isReading = true;
        }

        /// <summary>Ends the reader's turn, if it has it.</summary>
        /// <returns>Whether it had.</returns>
        public bool EndReading()
        {
            bool had = _isReading;
            if (had)
            {
                _isReading = false;
                _free.Release();
            }

            return had;
        }
    }

    /// <summary>What TLS reads from: while it waits there, the turn is free.</summary>
    private sealed class Below(Stream stream, Turn turn) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            bool had = turn.EndReading();
            int count = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (had)
            {
                await turn.TakeForReadingAsync().ConfigureAwait(false);
            }

            return count;
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => stream.WriteAsync(buffer, cancellationToken);

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => stream.WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task FlushAsync(CancellationToken cancellationToken) => stream.FlushAsync(cancellationToken);

        public override void Flush() => stream.Flush();

        public override int Read(byte[] buffer, int offset, int count) => stream.Read(buffer, offset, count);

        public override void Write(byte[] buffer, int offset, int count) => stream.Write(buffer, offset, count);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                stream.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
