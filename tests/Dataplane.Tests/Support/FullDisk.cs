namespace Dataplane.Tests.Support;

/// <summary>A stream that takes so many bytes and then refuses, as a full disk does.</summary>
internal sealed class FullDisk(int roomBytes) : MemoryStream
{
    public override void Write(byte[] buffer, int offset, int count)
    {
        if (Length + count > roomBytes)
            throw new IOException("No space left on device");
        base.Write(buffer, offset, count);
    }
}
