using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Tests.Support;
using Dataplane.Mesh.Tests.Tls;

namespace Dataplane.Mesh.Tests.Relay;

/// <summary>TLS of clients outside the mesh: ended here, by the name they ask for, or passed through by it; and who the client was.</summary>
public sealed class EdgeTests
{
    [Fact]
    public async Task Edge_NamesWithCertificates_EachIsShownItsOwnAndProtocolsAreAgreed()
    {
        await using var bed = new EdgeBed(tls12: false, names: ["a.test", "*.b.test"]);
        await AssertServedAsync(bed, "a.test", "a.test");
        await AssertServedAsync(bed, "x.b.test", "*.b.test");
        await AssertServedAsync(bed, "A.Test", "a.test");
        await AssertRefusedAsync(bed, "x.y.b.test", SslProtocols.Tls13, RelayReason.ServerNameUnknown);
        await AssertRefusedAsync(bed, "a.test", SslProtocols.Tls12, RelayReason.TlsVersion);
        Assert.Equal(3, bed.Server.Connections);
    }

    [Fact]
    public async Task Edge_NoNameOrAnAddress_IsShownTheFirst()
    {
        await using var bed = new EdgeBed(tls12: false, names: ["a.test", "b.test"]);
        await AssertServedAsync(bed, "", "a.test");

        // The runtime's client, rightly, sends no address as a name; others do.
        using Socket client = await MeshPair.ConnectAsync(bed.Relay.AddressOf("edge"));
        byte[] greeting = ClientHelloTests.Greeting("1270.0.0.1", SslProtocols.Tls13);
        int at = greeting.AsSpan().IndexOf("1270.0.0.1"u8);
        "127.00.0.1"u8.CopyTo(greeting.AsSpan(at));
        await client.SendAllAsync(greeting);
        Assert.Equal(0x16, (await client.ReceiveAsync(1))[0]);
    }

    [Fact]
    public async Task Edge_Tls12Allowed_IsSpokenWithStrongSuitesOnly()
    {
        await using var bed = new EdgeBed(tls12: true, names: ["a.test"]);
        await using SslStream tls = await bed.ConnectAsync("a.test", SslProtocols.Tls12);
        Assert.Equal(SslProtocols.Tls12, tls.SslProtocol);
        Assert.Contains("ECDHE_ECDSA_WITH_AES", tls.NegotiatedCipherSuite.ToString(), StringComparison.Ordinal);
        Assert.Matches("GCM|CHACHA20", tls.NegotiatedCipherSuite.ToString());
    }

    [Fact]
    public async Task Edge_NewCertificate_IsShownToNewClients()
    {
        await using var bed = new EdgeBed(tls12: false, names: ["a.test"]);
        await using SslStream before = await bed.ConnectAsync("a.test", SslProtocols.Tls13);
        string first = before.RemoteCertificate!.GetCertHashString();
        bed.Reissue(0);
        bed.Relay.RefreshCertificates();
        await using SslStream after = await bed.ConnectAsync("a.test", SslProtocols.Tls13);
        Assert.NotEqual(first, after.RemoteCertificate!.GetCertHashString());
        await EchoAsync(before);
        await EchoAsync(after);
    }

    [Fact]
    public async Task Passthrough_Names_GoWhereTheyBelongWithEveryByte()
    {
        byte[] greeting = ClientHelloTests.Greeting("web.b.test", SslProtocols.Tls13);
        await using var a = new Server(socket => AnswerAsync(socket, "a"));
        await using var b = new Server(socket => AnswerAsync(socket, "b", greeting.Length));
        await using var bed = new RelayBed(new ListenerSpec
        {
            Name = "pass",
            Kind = ListenerKind.Passthrough,
            Listen = MeshPair.Anywhere,
            Routes =
            [
                MeshPair.To(a.Address, UpstreamKind.Plain) with { Name = "a", ServerNames = ["a.test"] },
                MeshPair.To(b.Address, UpstreamKind.Plain) with { Name = "b", ServerNames = ["*.b.test"] },
            ],
        });
        using (Socket client = await bed.ConnectAsync("pass"))
        {
            // Byte by byte, as it may come over the network.
            foreach (byte one in greeting)
                await client.SendAllAsync(new[] { one });
            byte[] answer = [(byte)'b', .. greeting];
            Assert.Equal(answer, await client.ReceiveAllAsync());
        }

        Assert.Equal(0, a.Connections);
        using (Socket client = await bed.ConnectAsync("pass"))
        {
            await client.SendAllAsync(ClientHelloTests.Greeting("c.test", SslProtocols.Tls13));
            await client.AssertResetAsync();
        }

        using (Socket client = await bed.ConnectAsync("pass"))
        {
            await client.SendAllAsync("SSH-2.0-x\r\n"u8.ToArray());
            await client.AssertResetAsync();
        }

        await Patience.UntilAsync(() => bed.Records.Count == 3, "three records");

        // Records come when connections have ended, each in its own time.
        Assert.Equal(new[] { RelayReason.Completed, RelayReason.NoRoute, RelayReason.TlsNotSpoken }.Order(), bed.Records.Select(record => record.Reason).Order());
        Assert.Equal("web.b.test", bed.Records.Single(record => record.Reason == RelayReason.Completed).ServerName);
    }

    [Fact]
    public async Task Proxy_FromATrustedSource_IsBelievedSentOnAndNeverElsewhere()
    {
        var seen = new ConcurrentQueue<ProxyHeader>();
        await using var server = new Server(async socket =>
        {
            byte[] fixedPart = await socket.ReceiveAsync(ProxyHeader.FixedBytes);
            byte[] rest = await socket.ReceiveAsync(ProxyHeader.LengthOf(fixedPart) - ProxyHeader.FixedBytes);
            Assert.Equal(ProxyVerdict.Whole, ProxyHeader.Parse([.. fixedPart, .. rest], out ProxyHeader header, out _));
            seen.Enqueue(header);
            await Server.EchoAsync(socket);
        });
        var listener = new ListenerSpec
        {
            Name = "l",
            Kind = ListenerKind.Passthrough,
            Listen = MeshPair.Anywhere,
            ProxyFrom = [IPNetwork.Parse("127.0.0.0/8")],
            Routes = [MeshPair.To(server.Address, UpstreamKind.Plain) with { SendProxy = true }],
        };
        var header = new ProxyHeader(IPEndPoint.Parse("203.0.113.9:5555"), IPEndPoint.Parse("198.51.100.1:443"));
        byte[] greeting = ClientHelloTests.Greeting("a.test", SslProtocols.Tls13);
        await using var bed = new RelayBed(listener);
        using (Socket client = await bed.ConnectAsync("l"))
        {
            await client.SendAllAsync((byte[])[.. header.ToBytes(), .. greeting]);
            Assert.Equal(greeting, await client.ReceiveAsync(greeting.Length));
        }

        // Records come when connections have ended, each in its own time.
        await Patience.UntilAsync(() => bed.Records.Count == 1, "the first record");
        Assert.Equal(("203.0.113.9:5555", "198.51.100.1:443", "a.test"), ($"{seen.First().Source}", $"{seen.First().Destination}", seen.First().Authority));

        // From a source that is not trusted the header is what it looks like: no TLS.
        await using var other = new RelayBed(listener with { ProxyFrom = [IPNetwork.Parse("192.0.2.0/24")] });
        using (Socket client = await other.ConnectAsync("l"))
        {
            await client.SendAllAsync((byte[])[.. header.ToBytes(), .. greeting]);
            await client.AssertResetAsync();
        }

        // From a trusted one it must be there.
        using (Socket client = await bed.ConnectAsync("l"))
        {
            await client.SendAllAsync(greeting);
            await client.AssertResetAsync();
        }

        await Patience.UntilAsync(() => bed.Records.Count == 2 && other.Records.Count == 1, "the records");
        Assert.Equal("203.0.113.9:5555", $"{bed.Records.First().Client}"); // The first is waited for above.
        Assert.Equal(RelayReason.ProxyHeaderInvalid, bed.Records.Last().Reason);
        Assert.Equal(RelayReason.TlsNotSpoken, other.Records.Single().Reason);
    }

    [Fact]
    public async Task Proxy_ThroughTheMesh_ServerLearnsClientAndIdentity()
    {
        var seen = new TaskCompletionSource<ProxyHeader>();
        await using var mesh = new MeshPair(new Server(async socket =>
        {
            byte[] fixedPart = await socket.ReceiveAsync(ProxyHeader.FixedBytes);
            byte[] rest = await socket.ReceiveAsync(ProxyHeader.LengthOf(fixedPart) - ProxyHeader.FixedBytes);
            ProxyHeader.Parse([.. fixedPart, .. rest], out ProxyHeader header, out _);
            seen.SetResult(header);
        }), outbound: spec => spec with
        {
            Listeners = [spec.Listeners[0] with { Routes = [spec.Listeners[0].Routes[0] with { SendProxy = true }] }],
        }, inbound: spec => spec with
        {
            Listeners =
            [
                spec.Listeners[0] with
                {
                    ProxyFromIdentities = [SpiffePattern.Parse("spiffe://example.org/ns/shop/*")],
                    Routes = [spec.Listeners[0].Routes[0] with { SendProxy = true }],
                },
            ],
        });
        using Socket client = await mesh.ConnectAsync();
        ProxyHeader header = await seen.Task.WaitAsync(Patience.Limit);
        Assert.Equal(client.LocalEndPoint, header.Source);
        Assert.Equal("spiffe://example.org/ns/shop/sa/client", header.Identity);
        Assert.Equal(mesh.Outbound.AddressOf("out"), header.Destination);
    }

    private static async Task AnswerAsync(Socket socket, string name, int count = 1)
    {
        byte[] got = await socket.ReceiveAsync(count);
        await socket.SendAllAsync((byte[])[(byte)name[0], .. got]);
        socket.Shutdown(SocketShutdown.Send);
    }

    private static async Task EchoAsync(SslStream tls)
    {
        await tls.WriteAsync("echo"u8.ToArray());
        byte[] back = new byte[4];
        await tls.ReadExactlyAsync(back);
        Assert.Equal("echo"u8.ToArray(), back);
    }

    private static async Task AssertServedAsync(EdgeBed bed, string name, string certificate)
    {
        await using SslStream tls = await bed.ConnectAsync(name, SslProtocols.Tls13);
        Assert.Equal(SslApplicationProtocol.Http11, tls.NegotiatedApplicationProtocol);
        Assert.Equal($"CN={bed.LabelOf(certificate)}", tls.RemoteCertificate!.Subject);
        await EchoAsync(tls);
    }

    private static async Task AssertRefusedAsync(EdgeBed bed, string name, SslProtocols protocols, RelayReason reason)
    {
        int before = bed.Records.Count(record => record.Reason == reason);
        await Assert.ThrowsAnyAsync<Exception>(() => bed.ConnectAsync(name, protocols));
        await Patience.UntilAsync(() => bed.Records.Count(record => record.Reason == reason) > before, $"a record of {reason}");
    }
}
