using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Tests.Support;
using Dataplane.Mesh.Tests.Tls;

namespace Dataplane.Mesh.Tests.Relay;

/// <summary>Whatever comes over the network, the relay refuses it by a reason and has no fault of its own.</summary>
public sealed class GarbageTests
{
    [Fact]
    public async Task Listeners_AnyBytes_AreRefusedByAReason()
    {
        await using var server = Server.Echo();
        using var domain = new TrustDomain();
        var certificate = new CertificateSpec { Certificate = domain.NewPath("pem"), Key = domain.NewPath("key") };
        domain.Authority.Issue(SpiffeId.Parse("spiffe://example.org/edge"), certificate.Certificate, certificate.Key, TimeSpan.FromHours(1), "a.test");
        RouteSpec route = MeshPair.To(server.Address, UpstreamKind.Plain) with { Name = "never", ServerNames = ["never.test"] };
        var faults = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var relay = new RelayServer(new RelaySpec
        {
            Identity = domain.Issue(MeshPair.WebPath),
            Limits = new RelayLimits { HandshakeTimeout = TimeSpan.FromSeconds(2) },
            Listeners =
            [
                new ListenerSpec { Name = "in", Kind = ListenerKind.Inbound, Listen = MeshPair.Anywhere, Routes = [route] },
                new ListenerSpec { Name = "edge", Kind = ListenerKind.Edge, Listen = MeshPair.Anywhere, Certificates = [certificate], AllowTls12 = true, Routes = [route] },
                new ListenerSpec { Name = "pass", Kind = ListenerKind.Passthrough, Listen = MeshPair.Anywhere, Routes = [route] },
                new ListenerSpec { Name = "proxy", Kind = ListenerKind.Edge, Listen = MeshPair.Anywhere, Certificates = [certificate], Routes = [route],
                    ProxyFrom = [IPNetwork.Parse("127.0.0.0/8")] },
            ],
        }, log: faults.Enqueue);
        relay.Start();
        byte[][] seeds = [.. Seeds()];
        var random = new Random(5);
        string[] names = ["in", "edge", "pass", "proxy"];
        const int Each = 150;
        await Parallel.ForAsync(0, names.Length * Each, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) =>
        {
            byte[] bytes;
            lock (random)
                bytes = Mutate(seeds[random.Next(seeds.Length)], random);
            try
            {
                using Socket client = await MeshPair.ConnectAsync(relay.AddressOf(names[i % names.Length]));
                await client.SendAllAsync(bytes);
                client.Shutdown(SocketShutdown.Send);
                await client.ReceiveAllAsync();
            }
            catch (SocketException)
            {
                // Reset, as it should be.
            }
        });
        await Patience.UntilAsync(() => relay.Connections == 0, "all have ended");
        Assert.True(faults.IsEmpty, faults.FirstOrDefault());
        Assert.Equal(0, server.Connections);
        Assert.All(relay.ReadStatus().Listeners, listener =>
        {
            Assert.Equal(Each, listener.Accepted);
            Assert.Equal(Each, listener.Ends.Values.Sum());
            Assert.DoesNotContain("relay.internal_error", listener.Ends.Keys);
            Assert.DoesNotContain(listener.Ends.Keys, end => end.EndsWith(".completed", StringComparison.Ordinal));
        });
    }

    private static IEnumerable<byte[]> Seeds()
    {
        yield return [];
        yield return new byte[300];
        yield return "GET / HTTP/1.1\r\n\r\n"u8.ToArray();
        yield return ClientHelloTests.Greeting("a.test", SslProtocols.Tls13);
        yield return ClientHelloTests.Greeting("a.test", SslProtocols.Tls12);
        yield return ClientHelloTests.Greeting("xn--a.test", SslProtocols.Tls13 | SslProtocols.Tls12);
        yield return [0x80, 0x2E, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10, .. new byte[37]];
        yield return [0x15, 3, 1, 0, 2, 2, 40];
        yield return [.. new ProxyHeader(IPEndPoint.Parse("192.0.2.1:1"), IPEndPoint.Parse("192.0.2.2:2"), "a.test").ToBytes(),
            .. ClientHelloTests.Greeting("a.test", SslProtocols.Tls13)];
    }

    private static byte[] Mutate(byte[] seed, Random random)
    {
        byte[] bytes = [.. seed];
        for (int i = random.Next(4); i > 0 && bytes.Length > 0; i--)
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        return random.Next(4) == 0 ? bytes[..random.Next(bytes.Length + 1)] : bytes;
    }
}
