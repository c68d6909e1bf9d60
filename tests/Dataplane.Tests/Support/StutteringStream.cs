namespace Dataplane.Tests.Support;

/// <summary>A stream like a pipe: no length, and reads that give fewer bytes than asked for.</summary>
internal sealed class StutteringStream(byte[] bytes, int seed = 1) : Stream
{
    private readonly Random _random = new(seed);
    private int _at;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count)
    {
        int step = Math.Min(Math.Min(count, bytes.Length - _at), _random.Next(1, 40));
        bytes.AsSpan(_at, step).CopyTo(buffer.AsSpan(offset));
        _at += step;
        return step;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
