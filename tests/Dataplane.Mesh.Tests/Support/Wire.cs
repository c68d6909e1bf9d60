using System.Net.Sockets;

namespace Dataplane.Mesh.Tests.Support;

/// <summary>Reading and writing of sockets in tests.</summary>
internal static class Wire
{
    internal static async Task SendAllAsync(this Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[await socket.SendAsync(bytes)..];
    }

    /// <summary>Reads so many bytes.</summary>
    internal static async Task<byte[]> ReceiveAsync(this Socket socket, int count)
    {
        byte[] bytes = new byte[count];
        for (int at = 0; at < count;)
        {
            int read = await socket.ReceiveAsync(bytes.AsMemory(at)).AsTask().WaitAsync(Patience.Limit);
            Assert.True(read > 0, $"the stream ended after {at} of {count} bytes");
            at += read;
        }

        return bytes;
    }

    /// <summary>Reads to the end of the stream.</summary>
    internal static async Task<byte[]> ReceiveAllAsync(this Socket socket)
    {
        using var all = new MemoryStream();
        byte[] buffer = new byte[64 << 10];
        int read;
        while ((read = await socket.ReceiveAsync(buffer.AsMemory()).AsTask().WaitAsync(Patience.Limit)) > 0)
            all.Write(buffer, 0, read);
        return all.ToArray();
    }

    /// <summary>Connects and waits for the reset, which may come before the connecting is over.</summary>
    internal static async Task AssertResetAsync(Func<Task<Socket>> connect)
    {
        SocketException error = await Assert.ThrowsAsync<SocketException>(async () =>
        {
            using Socket socket = await connect();
            await socket.ReceiveAllAsync();
        });
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    /// <summary>Waits for the reset that tells a client that its connection cannot be carried.</summary>
    internal static async Task AssertResetAsync(this Socket socket)
    {
        SocketException error = await Assert.ThrowsAsync<SocketException>(async () => await socket.ReceiveAllAsync());
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }
}
