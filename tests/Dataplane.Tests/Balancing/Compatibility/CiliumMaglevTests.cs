using Dataplane.Balancing.Compatibility;
using Dataplane.Packets;

namespace Dataplane.Tests.Balancing.Compatibility;

/// <summary>The expectations of Cilium's own test, pkg/maglev/maglev_test.go; its backends have the address and the port of one number.</summary>
public class CiliumMaglevTests
{
    /// <summary>TestReproducible: the table in runs, id and length.</summary>
    [Fact]
    public void Build_FourWeights_GivesCiliumsTable()
    {
        string expected = "2(5),3(1),2(3),1(1),2(2),0(1),2(1),3(1),2(1),3(1),2(1),1(1),2(7),1(1),2(14),3(1),2(1),"
            + "1(2),2(12),3(1),2(3),1(1),2(4),3(1),2(8),3(1),2(2),1(1),2(16),1(2),2(3),3(1),2(11),1(2),2(4),3(1),2(3),"
            + "1(1),2(4),3(1),2(1),0(1),1(1),2(8),1(1),2(7),1(1),2(4),3(1),2(1),3(1),2(9),1(2),2(5),1(1),2(7),3(1),2(1),"
            + "3(1),1(1),2(8),1(1),2(4),0(1),2(1),1(1),2(5),3(1),2(3),1(1),2(4),3(1),2(3),1(1),2(12),0(1),3(1),2(3),3(1),"
            + "2(4),3(1),2(2),1(1),2(7)";
        CiliumBackend[] backends = [Backend(0, 1, 2), Backend(1, 3, 13), Backend(2, 4, 111), Backend(3, 5, 10)];
        Assert.Equal(expected, Runs(new CiliumMaglev(size: 251).Build(backends)));
        Assert.Equal(expected, Runs(new CiliumMaglev(size: 251).Build([.. backends.Reverse()])));
    }

    /// <summary>TestWeightedBackendWithRemoval: how often each weight stands in the table.</summary>
    [Fact]
    public void Build_Weights_SharesAsInCilium()
    {
        int[] table = new CiliumMaglev(size: 1021).Build([Backend(1, 1, 2), Backend(2, 2, 13), Backend(3, 3, 111), Backend(4, 4, 10)]);
        Assert.Equal([16, 98, 832, 75], Enumerable.Range(1, 4).Select(id => table.Count(slot => slot == id)));
    }

    [Fact]
    public void Build_BackendsOfBothFamilies_AreHashedByCiliumsText()
    {
        Assert.Equal("[10.0.0.1:80/TCP,State:active]", new CiliumBackend(1, IpAddress.Parse("10.0.0.1"), 80).HashText);
        Assert.Equal("[[f00d::1]:53/UDP,State:active]", new CiliumBackend(1, IpAddress.Parse("f00d::1"), 53, IpProtocols.Udp).HashText);
        Assert.Throws<ArgumentOutOfRangeException>(() => new CiliumMaglev().Build([new(1, IpAddress.AnyV4, 1, IpProtocols.Icmp)]));
    }

    /// <summary>
    /// The hash of bpf/lib/hash.h, computed by another implementation from the words as they lie on the wire; the destination does not count. Mixing
    /// and end are those of jhash, for which there are published vectors.
    /// </summary>
    [Theory]
    [InlineData("1.2.3.4", "9.9.9.9", IpProtocols.Tcp, 20721)]
    [InlineData("1.2.3.4", "8.8.8.8", IpProtocols.Tcp, 20721)]
    [InlineData("102:304:506:708:90a:b0c:d0e:f10", "9::9", IpProtocols.Udp, 93982)]
    [InlineData("102:304:506:708:90a:b0c:d0e:f10", "8::8", IpProtocols.Udp, 93982)]
    public void SlotOf_Packet_IsCiliums(string source, string destination, byte protocol, int expected)
    {
        FlowKey key = FlowKey.Create(IpAddress.Parse(source), 0x1122, IpAddress.Parse(destination), 0x3344, protocol);
        Assert.Equal(expected, new CiliumMaglev(size: 131071).SlotOf(in key));
    }

    [Fact]
    public void Constructor_BadSettings_Throw()
    {
        Assert.Throws<ArgumentException>(() => new CiliumMaglev("AAAA"));
        Assert.Throws<ArgumentException>(() => new CiliumMaglev("!!!!!!!!!!!!!!!!"));
        Assert.Throws<ArgumentException>(() => new CiliumMaglev(size: 250));
        Assert.Throws<ArgumentOutOfRangeException>(() => new CiliumMaglev().Build([Backend(1, 1, 0)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new CiliumMaglev().Build([Backend(1, 1, 65536)]));
        Assert.Empty(new CiliumMaglev().Build([]));
    }

    private static CiliumBackend Backend(int id, ushort number, int weight) => new(id, IpAddress.FromV4(number), number, IpProtocols.Tcp, weight);

    private static string Runs(int[] table)
    {
        var runs = new List<string>();
        for (int at = 0; at < table.Length;)
        {
            int end = Array.FindIndex(table, at, slot => slot != table[at]);
            end = end < 0 ? table.Length : end;
            runs.Add($"{table[at]}({end - at})");
            at = end;
        }

        return string.Join(',', runs);
    }
}
