using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Tests.Pipeline;
using Dataplane.Tests.Reference;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Nat;

/// <summary>Any order of packets out, in, and between inside hosts, against what RFC 4787 says of mappings and filters, kept in dictionaries.</summary>
public sealed class MappedPortModelTests
{
    private enum Way
    {
        Out,
        In,
        Between,
    }

    [Theory]
    [InlineData(4, 1, NatFiltering.EndpointIndependent)]
    [InlineData(6, 3, NatFiltering.EndpointIndependent)]
    [InlineData(4, 3, NatFiltering.AddressDependent)]
    [InlineData(6, 1, NatFiltering.AddressDependent)]
    [InlineData(4, 1, NatFiltering.AddressAndPortDependent)]
    [InlineData(6, 3, NatFiltering.AddressAndPortDependent)]
    public void AnyTraffic_IsMappedAndFilteredAsTheModelSays(int family, int workers, NatFiltering filtering)
    {
        Gen<(Way Way, int Host, ushort Port, int Remote, ushort RemotePort, int Other, ushort OtherPort)[]> traffic =
            (from way in Gen.Elements(Way.Out, Way.In, Way.In, Way.Between)
             from host in Gen.Choose(11, 13)
             from port in Gen.Elements<ushort>(7, 1023, 1024, 40000, 40001)
             from remote in Gen.Choose(1, 3)
             from remotePort in Gen.Elements<ushort>(53, 443)
             from other in Gen.Choose(11, 13)
             from otherPort in Gen.Elements<ushort>(7, 1024, 40001)
             select (way, host, port, remote, remotePort, other, otherPort)).ArrayOf();
        Prop.ForAll(traffic.ToArbitrary(), packets => Play(family, workers, filtering, packets).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(30));
    }

    private static async Task<bool> Play(int family, int workers, NatFiltering filtering,
        (Way Way, int Host, ushort Port, int Remote, ushort RemotePort, int Other, ushort OtherPort)[] packets)
    {
        var net = new MappedNet(family);
        await using TestPlane plane = MappedNet.Create(MappedNet.Rule(filtering), workers);
        var model = new Model(filtering);
        foreach ((Way way, int host, ushort port, int remote, ushort remotePort, int other, ushort otherPort) in packets)
        {
            IpAddress address = net.Remote(remote);
            switch (way)
            {
                case Way.Out:
                    model.Map(host, port, net.Open(plane, host, port, address, remotePort));
                    model.Send(host, port, (address, remotePort));
                    break;
                case Way.In when model.Outside.TryGetValue((host, port), out ushort mapped):
                    bool mayEnter = model.MayEnter(host, port, (address, remotePort));
                    Assert.Equal(mayEnter, net.Reaches(plane, address, remotePort, mapped, host, port));
                    break;
                case Way.Between when model.Outside.TryGetValue((other, otherPort), out ushort target) && (host, port) != (other, otherPort):
                    Between(net, plane, model, (host, port), (other, otherPort), target);
                    break;
            }
        }

        Assert.Equal(model.Outside.Count, plane.Engine.ReadNat().Sum(entry => entry.Mappings));
        Assert.Equal(model.Kept, plane.Engine.ReadAccounting().DroppedFor(DropReason.NatFiltered));
        return true;
    }

    private static void Between(MappedNet net, TestPlane plane, Model model, (int Host, ushort Port) from, (int Host, ushort Port) to, ushort target)
    {
        // Its own port is found out by a packet to elsewhere: what it sends to the other has to have it too.
        model.Map(from.Host, from.Port, net.Open(plane, from.Host, from.Port, net.Remote(9), 9));
        model.Send(from.Host, from.Port, (net.Remote(9), 9));
        ushort own = model.Outside[from];
        model.Send(from.Host, from.Port, (net.Gateway, target));
        bool mayEnter = model.MayEnter(to.Host, to.Port, (net.Gateway, own));
        IReadOnlyList<(string Port, byte[] Frame)> sent = plane.Send("lan", net.From(from.Host, net.Gateway).Udp(from.Port, target).Payload("z").Build());
        Assert.Equal(mayEnter ? 1 : 0, sent.Count);
        if (mayEnter)
        {
            Assert.Equal("lan", sent[0].Port);
            NatNet.Same(net.At(to.Host, net.Gateway).Udp(own, to.Port).Payload("z").Build(), sent[0].Frame);
        }
    }

    /// <summary>Who is who outside, and whom each has sent to. Nothing ages here.</summary>
    private sealed class Model(NatFiltering filtering)
    {
        private readonly HashSet<(int Host, ushort Port, IpAddress Remote, ushort RemotePort)> _sent = [];

        public Dictionary<(int Host, ushort Port), ushort> Outside { get; } = [];

        public int Kept { get; private set; }

        public void Map(int host, ushort port, ushort outside)
        {
            if (Outside.TryGetValue((host, port), out ushort known))
            {
                Assert.Equal(known, outside);
                return;
            }

            Assert.DoesNotContain(outside, Outside.Values);
            Assert.Equal((port & 1, port < 1024), (outside & 1, outside < 1024));
            if (!Outside.ContainsKey((host, (ushort)(port ^ 1))) && !Outside.ContainsValue(port))
            {
                Assert.Equal(port, outside);
            }

            Outside.Add((host, port), outside);
        }

        public void Send(int host, ushort port, (IpAddress Address, ushort Port) to) => _sent.Add((host, port, to.Address, to.Port));

        public bool MayEnter(int host, ushort port, (IpAddress Address, ushort Port) from)
        {
            bool mayEnter = filtering switch
            {
                NatFiltering.EndpointIndependent => true,
                NatFiltering.AddressDependent => _sent.Any(sent => (sent.Host, sent.Port, sent.Remote) == (host, port, from.Address)),
                _ => _sent.Contains((host, port, from.Address, from.Port)),
            };
            Kept += mayEnter ? 0 : 1;
            return mayEnter;
        }
    }
}
