using Dataplane.Flows;
using Dataplane.Hashing;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Hashing;

public class SymmetricFlowHashTests
{
    /// <summary>Addresses and ports from few values, so that ends meet that are equal in part or altogether.</summary>
    private static readonly Gen<FlowKey> s_keys =
        from six in Gen.Elements(false, true)
        from words in Gen.Elements(0UL, 1UL, 0x8000_0000UL, 0xFFFF_FFFFUL).ArrayOf(4)
        from ports in Gen.Elements<ushort>(0, 1, 0x8000, 0xFFFF).ArrayOf(2)
        select FlowKey.Create(End(six, words[0], words[1]), ports[0], End(six, words[2], words[3]), ports[1], IpProtocols.Tcp);

    [Fact]
    public void Of_AnyFlow_IsThatOfTheOppositeDirectionToo() => Prop.ForAll(s_keys.ToArbitrary(), key =>
    {
        var hash = new SymmetricFlowHash(5);
        FlowKey back = FlowKey.Create(key.Destination, key.DestinationPort, key.Source, key.SourcePort, key.Protocol);
        FlowKey ordered = SymmetricFlowHash.Ordered(in key);
        return hash.Of(in key) == hash.Of(in back) && (ordered.Equals(key) || ordered.Equals(back)) && hash.Of(in key) == new FlowHash(5).Of(in ordered);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    /// <summary>Order is of the ends, not of addresses and ports each by themselves: a:1 to b:2 is another flow than a:2 to b:1.</summary>
    [Fact]
    public void Of_PortsExchanged_IsAnotherFlow()
    {
        IpAddress a = IpAddress.FromV4(1), b = IpAddress.FromV4(2);
        FlowKey one = FlowKey.Create(a, 1, b, 2, 6), other = FlowKey.Create(a, 2, b, 1, 6);
        Assert.NotEqual(new SymmetricFlowHash(5).Of(in one), new SymmetricFlowHash(5).Of(in other));
    }

    private static IpAddress End(bool six, ulong high, ulong low) => six ? IpAddress.FromV6(high, low) : IpAddress.FromV4((uint)low);
}
