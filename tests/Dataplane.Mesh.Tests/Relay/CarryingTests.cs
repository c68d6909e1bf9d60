using System.Net.Sockets;
using System.Security.Cryptography;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Tests.Support;

namespace Dataplane.Mesh.Tests.Relay;

/// <summary>What two relays carry between a client and a server, and how connections end.</summary>
public sealed class CarryingTests
{
    [Fact]
    public async Task Carry_SmallMessages_ComeBackAndAreRecorded()
    {
        await using var mesh = new MeshPair(Server.Echo());
        using Socket client = await mesh.ConnectAsync();
        await client.SendAllAsync("hello"u8.ToArray());
        Assert.Equal("hello"u8.ToArray(), await client.ReceiveAsync(5));
        client.Shutdown(SocketShutdown.Send);
        Assert.Empty(await client.ReceiveAllAsync());

        AccessRecord outbound = await MeshPair.FirstAsync(mesh.OutboundRecords), inbound = await MeshPair.FirstAsync(mesh.InboundRecords);
        Assert.Equal((RelayReason.Completed, 5, 5), (outbound.Reason, outbound.BytesFromClient, outbound.BytesToClient));
        Assert.Equal((RelayReason.Completed, 5, 5), (inbound.Reason, inbound.BytesFromClient, inbound.BytesToClient));
        Assert.Equal("spiffe://example.org/ns/shop/sa/web", outbound.UpstreamIdentity);
        Assert.Equal("spiffe://example.org/ns/shop/sa/client", inbound.Identity);
        Assert.Equal("web.test", inbound.ServerName);
        Assert.StartsWith("TLSv1.3 ", inbound.Tls, StringComparison.Ordinal);
        Assert.Contains("\"reason\":\"completed\"", inbound.ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Carry_ServerSpeaksFirst_ClientNeedSayNothing()
    {
        await using var mesh = new MeshPair(new Server(async socket =>
        {
            await socket.SendAllAsync("220 ready\r\n"u8.ToArray());
            await Server.EchoAsync(socket);
        }));
        using Socket client = await mesh.ConnectAsync();
        Assert.Equal("220 ready\r\n"u8.ToArray(), await client.ReceiveAsync(11));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16 << 10)]
    [InlineData((16 << 10) + 1)]
    [InlineData(8 << 20)]
    public async Task Carry_ManyBytesUpThenTheirHash_NothingIsLostOrChanged(int count)
    {
        // The server answers only when the client has ended its direction: the half-close must get there, and the other half must live on.
        await using var mesh = new MeshPair(new Server(async socket =>
        {
            byte[] got = await socket.ReceiveAllAsync();
            await socket.SendAllAsync(SHA256.HashData(got));
        }));
        byte[] content = RandomNumberGenerator.GetBytes(count);
        using Socket client = await mesh.ConnectAsync();
        await client.SendAllAsync(content);
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal(SHA256.HashData(content), await client.ReceiveAllAsync());
    }

    [Fact]
    public async Task Carry_ServerEndsFirst_ClientMaySendOn()
    {
        var got = new TaskCompletionSource<byte[]>();
        await using var mesh = new MeshPair(new Server(async socket =>
        {
            await socket.SendAllAsync("bye"u8.ToArray());
            socket.Shutdown(SocketShutdown.Send);
            got.SetResult(await socket.ReceiveAllAsync());
        }));
        using Socket client = await mesh.ConnectAsync();
        Assert.Equal("bye"u8.ToArray(), await client.ReceiveAllAsync());
        byte[] content = RandomNumberGenerator.GetBytes(3 << 20);
        await client.SendAllAsync(content);
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal(content, await got.Task.WaitAsync(Patience.Limit));
        Assert.Equal(RelayReason.Completed, (await MeshPair.FirstAsync(mesh.OutboundRecords)).Reason);
    }

    [Fact]
    public async Task Carry_ReaderThatStops_HoldsTheSenderBackAndLosesNothing()
    {
        var release = new TaskCompletionSource();
        await using var mesh = new MeshPair(new Server(async socket =>
        {
            await release.Task;
            byte[] got = await socket.ReceiveAllAsync();
            await socket.SendAllAsync(SHA256.HashData(got));
        }));
        byte[] content = RandomNumberGenerator.GetBytes(32 << 20);
        using Socket client = await mesh.ConnectAsync();
        Task sending = client.SendAllAsync(content);

        // The kernel's buffers of five sockets take some megabytes; the rest must wait at the client, not in the relays.
        await Patience.UntilAsync(() => mesh.Inbound.ReadStatus().Listeners[0].BytesFromClient > 0, "the first bytes");
        long before = -1, now = 0;
        for (; before != now; await Task.Delay(200))
            (before, now) = (now, mesh.Outbound.ReadStatus().Listeners[0].BytesFromClient);
        Assert.False(sending.IsCompleted);
        Assert.InRange(now, 1, content.Length - 1);
        release.SetResult();
        await sending.WaitAsync(Patience.Limit);
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal(SHA256.HashData(content), await client.ReceiveAllAsync());
    }

    [Fact]
    public async Task End_ClientResets_ServerIsReset()
    {
        var seen = new TaskCompletionSource<SocketError>();
        await using var mesh = new MeshPair(new Server(async socket =>
        {
            try
            {
                await Server.EchoAsync(socket);
                seen.SetResult(SocketError.Success);
            }
            catch (SocketException error)
            {
                seen.SetResult(error.SocketErrorCode);
            }
        }));
        using Socket client = await mesh.ConnectAsync();
        await client.SendAllAsync("x"u8.ToArray());
        await client.ReceiveAsync(1);
        client.LingerState = new LingerOption(true, 0);
        client.Close();
        Assert.Equal(SocketError.ConnectionReset, await seen.Task.WaitAsync(Patience.Limit));
        AccessRecord record = await MeshPair.FirstAsync(mesh.OutboundRecords);
        Assert.Equal((RelayReason.Reset, RelaySide.Client), (record.Reason, record.Side));
    }

    [Fact]
    public async Task End_ServerResets_ClientIsReset()
    {
        await using var mesh = new MeshPair(new Server(async socket =>
        {
            await socket.ReceiveAsync(1);
            socket.LingerState = new LingerOption(true, 0);
            socket.Close();
        }));
        using Socket client = await mesh.ConnectAsync();
        await client.SendAllAsync("x"u8.ToArray());
        await client.AssertResetAsync();
        AccessRecord record = await MeshPair.FirstAsync(mesh.InboundRecords);
        Assert.Equal((RelayReason.Reset, RelaySide.Upstream), (record.Reason, record.Side));
    }

    [Fact]
    public async Task End_ServerAnswersAndClosesDuringTheUpload_AnswerArrives()
    {
        // As a web server does that refuses an upload (413) without reading it.
        await using var mesh = new MeshPair(new Server(async socket =>
        {
            await socket.ReceiveAsync(1);
            await socket.SendAllAsync("413"u8.ToArray());
        }));
        using Socket client = await mesh.ConnectAsync();
        byte[] piece = new byte[256 << 10];
        Task sending = Task.Run(async () =>
        {
            try
            {
                for (int i = 0; i < 200; i++)
                    await client.SendAllAsync(piece);
            }
            catch (SocketException)
            {
                // Sooner or later the upload is refused.
            }
        });
        Assert.Equal("413"u8.ToArray(), await client.ReceiveAsync(3));
        await sending.WaitAsync(Patience.Limit);
    }

    [Fact]
    public async Task End_ManyKindsOfEarlyClose_LeaveNothingBehind()
    {
        await using var mesh = new MeshPair(Server.Echo());
        var random = new Random(11);
        await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
        {
            using Socket client = await mesh.ConnectAsync();
            try
            {
                if (i % 3 != 0)
                    await client.SendAllAsync(new byte[random.Next(1, 100_000)]);
                if (i % 5 == 0 && i % 3 != 0)
                    await client.ReceiveAsync(1);
                if (i % 4 == 0)
                    client.Shutdown(SocketShutdown.Send);
                if (i % 2 == 0)
                    client.LingerState = new LingerOption(true, 0);
            }
            catch (SocketException)
            {
                // Whichever side was faster.
            }
        }));
        await Patience.UntilAsync(() => mesh.Outbound.Connections == 0 && mesh.Inbound.Connections == 0, "all connections ended");
        using Socket last = await mesh.ConnectAsync();
        await last.SendAllAsync("still"u8.ToArray());
        Assert.Equal("still"u8.ToArray(), await last.ReceiveAsync(5));
    }
}
