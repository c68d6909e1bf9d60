using System.Buffers.Binary;
using Dataplane.Balancing.Compatibility;
using Dataplane.Hashing;
using Dataplane.Packets;

namespace Dataplane.Tests.Balancing.Compatibility;

/// <summary>The expectations of GLB's own test, src/glb-director/tests/test_rendezvous_table.py.</summary>
public class GlbTableTests
{
    private static readonly byte[] s_seed = Convert.FromHexString("49a3d861d661ae5ab06ed9326871a2f5");

    [Theory]
    [InlineData(0x0000, 0x491C53A72DF4C837, new ulong[] { 0xE47127DD8FE077DE, 0x8B1DDEC5575C8634, 0x705425E3E522989B, 0x6F022CE1EA607E16 })]
    [InlineData(0xFFFF, 0xF223C0CC65161620, new ulong[] { 0x0233EF12D7A983D9, 0x6414AA65F0A10601, 0xAF48EA8C83867829, 0xA1F610DF9FBB2025 })]
    [InlineData(0xBB44, 0xE290F8F430EB33D3, new ulong[] { 0x3595C936C995AE63, 0xDB40D5031678C90A, 0xEB798632D691530C, 0x0676EAF9CB7D2F85 })]
    public void Build_FourHosts_GivesGlbsSeedsRanksAndRows(int row, ulong rowSeed, ulong[] ranks)
    {
        var hash = new SipHash24(s_seed);
        Assert.Equal(rowSeed, BinaryPrimitives.ReverseEndianness(GlbTable.RowSeed(in hash, row)));
        ulong seed = BinaryPrimitives.ReverseEndianness(rowSeed);
        Assert.Equal(ranks, Hosts().Select(host => GlbTable.Rank(in hash, seed, host.Address)));
        int[] order = [.. Enumerable.Range(0, 4).OrderBy(i => ranks[i])];
        Assert.Equal(new GlbRow(order[0], order[1]), GlbTable.Build(s_seed, Hosts())[row]);
    }

    /// <summary>The rows of the test by hand: 0000 is d c b a, ffff a b d c, bb44 d a b c.</summary>
    [Fact]
    public void Build_FourHosts_GivesTheRowsOfTheTest()
    {
        GlbRow[] rows = GlbTable.Build(s_seed, Hosts());
        Assert.Equal([new(3, 2), new(0, 1), new(3, 0)], new[] { 0x0000, 0xFFFF, 0xBB44 }.Select(row => rows[row]));
    }

    /// <summary>The order of rendezvous: who leaves, leaves its rows alone to others; the rest stay as they are.</summary>
    [Fact]
    public void Build_HostInactive_ChangesItsRowsOnly()
    {
        GlbRow[] before = GlbTable.Build(s_seed, Hosts());
        GlbRow[] after = GlbTable.Build(s_seed, [.. Hosts()[..3], Hosts()[3] with { State = GlbBackendState.Inactive }]);
        for (int row = 0; row < before.Length; row++)
        {
            (int first, int second) = (before[row].Primary, before[row].Secondary);
            Assert.True(first == 3 || second == 3 || before[row] == after[row]);
            Assert.True(first != 3 || after[row].Primary == second);
            Assert.True(second != 3 || after[row].Primary == first);
            Assert.NotEqual(3, after[row].Secondary);
        }
    }

    /// <summary>As cli/main.c: draining or unhealthy backends change places with a second that is active, whatever the second's health.</summary>
    [Fact]
    public void Build_DrainingOrUnhealthy_StandsSecondWhereTheOtherIsActive()
    {
        GlbRow[] plain = GlbTable.Build(s_seed, Hosts());
        GlbBackend[][] changed =
        [
            [Hosts()[0] with { State = GlbBackendState.Draining }, .. Hosts()[1..]],
            [Hosts()[0] with { IsHealthy = false }, .. Hosts()[1..]],
            [Hosts()[0] with { IsHealthy = false }, Hosts()[1] with { IsHealthy = false }, .. Hosts()[2..]],
            [Hosts()[0] with { IsHealthy = false }, Hosts()[1] with { State = GlbBackendState.Filling }, .. Hosts()[2..]],
        ];
        foreach (GlbBackend[] backends in changed)
        {
            bool Bad(int i) => backends[i].State == GlbBackendState.Draining || !backends[i].IsHealthy;
            GlbRow[] rows = GlbTable.Build(s_seed, backends);
            for (int row = 0; row < rows.Length; row++)
            {
                GlbRow was = plain[row];
                bool exchanged = Bad(was.Primary) && backends[was.Secondary].State == GlbBackendState.Active;
                Assert.Equal(exchanged ? new GlbRow(was.Secondary, was.Primary) : was, rows[row]);
            }
        }
    }

    /// <summary>SipHash of the address as it stands in the header, the lower 16 bits of it: four bytes 00 01 02 03 under the paper's key.</summary>
    [Fact]
    public void RowOf_Address_IsTheLowerBitsOfItsSipHash()
    {
        byte[] key = [.. Enumerable.Range(0, 16).Select(i => (byte)i)];
        Assert.Equal(0x87B7, GlbTable.RowOf(key, IpAddress.Parse("0.1.2.3")));
        Assert.Equal(0x9BDB, GlbTable.RowOf(key, IpAddress.Parse("1:203:405:607:809:a0b:c0d:e0f")));
        Assert.Throws<ArgumentException>(() => GlbTable.RowOf(key, default));
    }

    [Fact]
    public void Build_TooFewHostsOrBadSeed_Throws()
    {
        Assert.Throws<ArgumentException>(() => GlbTable.Build(s_seed, Hosts()[..1]));
        Assert.Throws<ArgumentException>(() => GlbTable.Build(s_seed.AsSpan(1), Hosts()));
        Assert.Throws<ArgumentException>(() => GlbTable.Build(s_seed, [Hosts()[0], default]));
        Assert.Throws<ArgumentException>(() => GlbTable.Build(s_seed, [.. Enumerable.Range(0, 257).Select(i => new GlbBackend(IpAddress.FromV4((uint)i)))]));
    }

    private static GlbBackend[] Hosts() => [.. Enumerable.Range(1, 4).Select(i => new GlbBackend(IpAddress.Parse($"1.1.1.{i}")))];
}
