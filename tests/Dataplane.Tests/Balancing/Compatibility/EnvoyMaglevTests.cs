using Dataplane.Balancing.Compatibility;

namespace Dataplane.Tests.Balancing.Compatibility;

/// <summary>The expectations of Envoy's own test, test/extensions/load_balancing_policies/maglev/maglev_lb_test.cc.</summary>
public class EnvoyMaglevTests
{
    private static readonly EnvoyHost[] s_hosts = [.. Enumerable.Range(90, 6).Select(port => new EnvoyHost($"127.0.0.1:{port}", 1))];

    [Fact]
    public void Build_SixAddresses_GivesEnvoysTable()
    {
        Assert.Equal([2, 4, 0, 1, 5, 0, 3], EnvoyMaglev.Build(s_hosts, 7));
        Assert.Equal([3, 1, 5, 4, 0, 5, 2], EnvoyMaglev.Build(s_hosts.Reverse().ToArray(), 7));
    }

    [Fact]
    public void Build_SixNames_GivesEnvoysTable() =>
        Assert.Equal([2, 5, 0, 3, 4, 1, 0], EnvoyMaglev.Build([.. Enumerable.Range(90, 6).Select(name => new EnvoyHost($"{name}", 1))], 7));

    [Fact]
    public void Build_Weighted_GivesEnvoysTable() => Assert.Equal([1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1],
        EnvoyMaglev.Build([new("127.0.0.1:90", 1), new("127.0.0.1:91", 2)], 17));

    [Fact]
    public void Build_WeightsOfLocalities_GivesEnvoysTable()
    {
        string[] keys = ["127.0.0.1:90", "127.0.0.1:91"];
        Assert.Equal([1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1], EnvoyMaglev.Build(keys, [0.5, 0.5], 17));
        Assert.Equal([1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0], EnvoyMaglev.Build(keys, [0.8, 0.2], 17));
    }

    /// <summary>One host of 127 parts and 1023 that share one: each of those has one slot.</summary>
    [Fact]
    public void Build_LopsidedLocalities_GivesEveryHostASlot()
    {
        int[] table = EnvoyMaglev.Build([.. Enumerable.Range(0, 1024).Select(port => $"127.0.0.1:{port}")],
            [127.0 / 128, .. Enumerable.Repeat(1.0 / 128 / 1023, 1023)], EnvoyMaglev.DefaultSize);
        int[] counts = new int[1024];
        Array.ForEach(table, host => counts[host]++);
        Assert.Equal([EnvoyMaglev.DefaultSize - 1023, .. Enumerable.Repeat(1, 1023)], counts);
    }

    /// <summary>The example of Envoy's documentation (arch_overview, load balancers, Maglev): weights 1 and 2.</summary>
    [Fact]
    public void Build_WeightsOneAndTwo_SharesAsDocumented()
    {
        int[] table = EnvoyMaglev.Build([new("127.0.0.1:90", 1), new("127.0.0.1:91", 2)]);
        Assert.Equal((21846, 43691), (table.Count(slot => slot == 0), table.Count(slot => slot == 1)));
    }

    /// <summary>Hash 10 of 7 slots, then the first and the second retry.</summary>
    [Fact]
    public void SlotOf_Retries_ChoosesEnvoysHosts()
    {
        int[] table = EnvoyMaglev.Build(s_hosts, 7);
        Assert.Equal([1, 0, 5], Enumerable.Range(0, 3).Select(attempt => table[EnvoyMaglev.SlotOf(10, 7, (uint)attempt)]));
    }

    [Fact]
    public void Build_BadHosts_ThrowsAndNoneIsEmpty()
    {
        Assert.Empty(EnvoyMaglev.Build([], 7));
        Assert.Throws<ArgumentException>(() => EnvoyMaglev.Build([new("", 1)], 7));
        Assert.Throws<ArgumentException>(() => EnvoyMaglev.Build(s_hosts, 8));
        Assert.Throws<ArgumentOutOfRangeException>(() => EnvoyMaglev.Build([new("a", 0)], 7));
    }
}
