using Dataplane.Packets;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Nat;

/// <summary>Any order of packets of any hosts, against a dictionary of who is who outside.</summary>
public sealed class SourceNatModelTests
{
    [Theory]
    [InlineData(4, 1)]
    [InlineData(6, 1)]
    [InlineData(4, 3)]
    [InlineData(6, 3)]
    public void AnyTraffic_EveryBindingIsOneHostsAlone_AndStaysWhileItLives(int family, int workers)
    {
        Gen<(int Host, int Port, int Remote, bool Back)[]> traffic =
            (from host in Gen.Choose(11, 13)
             from port in Gen.Elements(7, 8, 1023, 1024, 40000, 40001)
             from remote in Gen.Elements(53, 443)
             from back in Gen.Elements(true, false)
             select (host, port, remote, back)).ArrayOf();
        Prop.ForAll(traffic.ToArbitrary(), packets => Play(family, workers, packets).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(60));
    }

    /// <summary>Ports of all hosts towards one remote port until none of the parity and range is left within reach: those that got one keep it.</summary>
    [Fact]
    public async Task ManyHostsOfOnePort_EachGetsAnotherOrIsRefusedByName()
    {
        NatNet net = NatNet.Of(4);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan").Route("10.1.0.0/16", "10.1.0.11").Workers(workers => workers with { FlowEntries = 8192 }));
        var taken = new Dictionary<int, IpAddress>();
        int refused = 0;
        for (int host = 0; host < 700; host++)
        {
            // Ports below 1024 of one parity: there are 511.
            IpAddress source = IpAddress.FromV4(0x0A01_0000u | (uint)(256 + host));
            byte[] frame = PacketBuilder.Ethernet(TestPlane.ServerMac, TestPlane.LanMac).Ip(source, net.Outside).Udp(123, 53).Build();
            IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("lan", frame);
            if (sent.Count == 0)
            {
                refused++;
                continue;
            }

            int port = ReferenceDecoder.Decode(sent[0].Frame).SourcePort;
            Assert.True(taken.TryAdd(port, source) && (port & 1) == 1 && port < 1024, $"host {host} got port {port}");
        }

        foreach ((int port, IpAddress source) in taken)
        {
            ReferencePacket answer = ReferenceDecoder.Decode(plane.SendForOne("wan", net.FromOutside().Udp(53, (ushort)port).Build(), "lan"));
            Assert.Equal((source.ToString(), 123), (answer.Destination, answer.DestinationPort));
        }

        Assert.Equal(refused, plane.Engine.ReadAccounting().DroppedFor(Dataplane.Pipeline.DropReason.NoFreePort));
        Assert.InRange(taken.Count, 400, 512);
    }

    private static async Task<bool> Play(int family, int workers, (int Host, int Port, int Remote, bool Back)[] packets)
    {
        NatNet net = NatNet.Of(family);
        await using TestPlane plane = TestPlane.Create(builder => builder.Nat("lan", "wan").Workers(settings => settings with { Count = workers }));
        var bindings = new Dictionary<(int Host, int Port, int Remote), int>();
        foreach ((int host, int port, int remote, bool back) in packets)
        {
            if (!back)
            {
                byte[] sent = plane.SendForOne("lan", net.FromInside(host).Udp((ushort)port, (ushort)remote).Build(), "wan");
                int outside = ReferenceDecoder.Decode(sent).SourcePort;
                NatNet.Same(net.AtOutside().Udp((ushort)outside, (ushort)remote).Build(), sent);
                if (!bindings.TryAdd((host, port, remote), outside))
                {
                    Assert.Equal(bindings[(host, port, remote)], outside);
                }
                else
                {
                    Assert.Equal(1, bindings.Count(binding => binding.Key.Remote == remote && binding.Value == outside));
                    Assert.Equal((port & 1, port < 1024), (outside & 1, outside < 1024));
                }
            }
            else if (bindings.TryGetValue((host, port, remote), out int outside))
            {
                NatNet.Same(net.AtInside(host).Udp((ushort)remote, (ushort)port).Build(),
                    plane.SendForOne("wan", net.FromOutside().Udp((ushort)remote, (ushort)outside).Build(), "lan"));
            }
        }

        return true;
    }
}
