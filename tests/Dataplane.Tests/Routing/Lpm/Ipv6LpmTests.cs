using Dataplane.Benchmarks.Routing;
using Dataplane.Packets;
using Dataplane.Routing.Lpm;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Routing.Lpm;

public class Ipv6LpmTests
{
    private static readonly UInt128 s_host = new(0x20010DB8_1234_FFFF, 0xFFFF_0000_8000_FFFF);

    [Fact]
    public void Lookup_NoRoutes_IsNoMatch()
    {
        using var table = new Ipv6Lpm(new GracePeriods());
        Assert.Equal(Ipv6Lpm.NoMatch, table.Lookup(0, 0));
        Assert.Equal(Ipv6Lpm.NoMatch, table.Lookup(ulong.MaxValue, ulong.MaxValue));
        Assert.Equal(0, table.Count);
        Assert.Equal(-1, table.LongestLength(1));
    }

    [Fact]
    public void Set_DefaultToHost_LongestWinsAndWithdrawUncovers()
    {
        using var table = new Ipv6Lpm(new GracePeriods());
        for (int length = 0; length <= 128; length++)
        {
            Assert.Equal(Ipv6Lpm.NoMatch, table.Set(s_host, length, length + 1));
            Assert.Equal(length + 1, Lookup(table, s_host));
            Assert.Equal(length, table.LongestLength(s_host));
        }

        Assert.Equal(129, table.Count);
        Assert.Equal(128, Lookup(table, s_host ^ 1));
        Assert.Equal(1, table.Lookup(0xFE80UL << 48, 1));
        for (int length = 128; length >= 0; length--)
        {
            Assert.Equal(length + 1, table.Withdraw(s_host, length));
            Assert.Equal(length, Lookup(table, s_host));
        }

        Assert.Equal(0, table.Count);
        Assert.Equal(Ipv6Lpm.NoMatch, table.Withdraw(0, 0));
        table.Reclaim();
        Assert.Equal(Native.Ipv6PrefixKernel.RootBytes + Native.Ipv6PrefixKernel.EmptyBytes, table.MemoryBytes);
    }

    [Fact]
    public void Lookup_AnySequenceOfChanges_AgreesWithLinearScan() =>
        Prop.ForAll(RouteModel.Steps(IpFamily.V6).ToArbitrary(), steps =>
        {
            using var table = new Ipv6Lpm(new GracePeriods());
            var model = new RouteModel();
            IpAddress[] probes = RouteModel.Probes(IpFamily.V6, steps.SelectMany(step => step).Select(change => change.Prefix));
            return steps.All(step => Change(table, model, step) && Agrees(table, model, probes)) && table.Count == model.Count;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(200));

    /// <summary>Every number of routes at the levels of directories and nodes, set one by one in any order and withdrawn in another: what is kept of a node between changes stays right.</summary>
    [Theory]
    [InlineData(24, 2, 26)]
    [InlineData(27, 33, 32)]
    [InlineData(40, 200, 48)]
    [InlineData(45, 900, 48)]
    [InlineData(60, 300, 64)]
    public void SetAndWithdraw_NeighboursOneByOne_EveryStepAgreesWithLinearScan(int shortest, int count, int longest)
    {
        var random = new Random(shortest);
        using var table = new Ipv6Lpm(new GracePeriods());
        var model = new RouteModel();
        UInt128 site = new(0x20010DB8_1234_0000, 0);
        int spread = longest - shortest + 2;
        var prefixes = new List<IpPrefix>();
        for (int i = 0; i < count; i++)
        {
            int length = random.Next(shortest, longest + 1);
            UInt128 address = site ^ ((UInt128)(uint)random.Next(1 << spread) << (128 - longest));
            prefixes.Add(new IpPrefix(IpAddress.FromBits(IpFamily.V6, address), length).Network);
        }

        IpAddress[] probes = RouteModel.Probes(IpFamily.V6, prefixes);
        IpAddress[] Some() => [.. Enumerable.Range(0, 20).Select(_ => probes[random.Next(probes.Length)])];
        for (int i = 0; i < count * 3; i++)
        {
            IpPrefix prefix = prefixes[random.Next(count)];
            int value = i < count * 2 && random.Next(3) > 0 ? random.Next(230, 250) : 0;
            Assert.True(Change(table, model, [new RouteChange(prefix, value)]));
            Assert.True(Agrees(table, model, i % 50 == 0 ? probes : Some()));
        }

        Assert.True(Agrees(table, model, probes));
    }

    /// <summary>A node with every number of runs around the borders of the shapes of blocks: 21 and 693 narrow, 9, 17, 33 and 2112 wide, and a full map.</summary>
    [Theory]
    [InlineData(360, 1, 250)]
    [InlineData(1100, 97, 250)]
    [InlineData(32768, 16384, 250)]
    [InlineData(40, 1, 1000)]
    [InlineData(1100, 97, 1000)]
    [InlineData(32768, 16384, 40000)]
    public void Lookup_BlocksOfEveryShape_FindEveryRun(int most, int step, int values)
    {
        using var table = new Ipv6Lpm(new GracePeriods());
        ulong site = 0x20010DB8UL << 32;
        int routes = 0;
        int Value(int route) => values - (route % values);
        for (int size = 1; size <= most; size += step)
        {
            // Every second /48 of a /32.
            var changes = new List<Ipv6RouteChange>();
            for (; routes < size; routes++)
            {
                changes.Add(new Ipv6RouteChange(new UInt128(site | ((ulong)((routes * 2) + 1) << 16), 0), 48, Value(routes)));
            }

            table.Apply([.. changes]);
            ulong[] high = new ulong[2 * size], low = new ulong[2 * size];
            for (int i = 0; i < high.Length; i++)
            {
                high[i] = site | ((ulong)(i + 1) << 16) | ((uint)i & 0xFFFF);
            }

            high[^1] = site | 0xFFFF_FFFF;
            int[] fast = new int[high.Length], scalar = new int[high.Length];
            table.Lookup(high, low, fast);
            table.Lookup(high, low, scalar, CodePath.Scalar);
            Assert.Equal(scalar, fast);
            for (int i = 0; i < high.Length - 1; i++)
            {
                Assert.Equal((i & 1) == 0 ? Value(i / 2) : Ipv6Lpm.NoMatch, fast[i]);
            }

            Assert.Equal(size == 32768 ? Value(32767) : Ipv6Lpm.NoMatch, fast[^1]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(1001)]
    public void Lookup_BatchesOfAnySize_AgreeWithSingleOnes(int size)
    {
        using var table = new Ipv6Lpm(new GracePeriods());
        (UInt128 First, byte Length, int Value)[] routes = InternetRoutes.V6((ulong)size, 5000, 1000);
        table.Apply([.. routes.Select(route => new Ipv6RouteChange(route.First, route.Length, route.Value))]);
        UInt128[] keys = InternetRoutes.KeysV6(3, routes, size);
        ulong[] high = [.. keys.Select(key => (ulong)(key >> 64))], low = [.. keys.Select(key => (ulong)key)];
        int[] fast = new int[size + 1], scalar = new int[size + 1];
        (fast[size], scalar[size]) = (-7, -7);
        table.Lookup(high, low, fast, CodePath.Auto);
        table.Lookup(high, low, scalar, CodePath.Scalar);
        Assert.Equal(scalar, fast);
        Assert.Equal(keys.Select(key => Lookup(table, key)), fast.Take(size));
        Assert.Equal(-7, fast[size]);
        Assert.DoesNotContain(Ipv6Lpm.NoMatch, fast);
        Assert.Throws<ArgumentException>(() => table.Lookup(high, low, new int[size - 1]));
        Assert.Throws<ArgumentException>(() => table.Lookup(high, low.AsSpan(1), new int[size]));
    }

    [Fact]
    public void Apply_BadChange_ThrowsAndChangesNothing()
    {
        using var table = new Ipv6Lpm(new GracePeriods());
        Assert.Throws<ArgumentException>(() => table.Apply([new Ipv6RouteChange(0, 0, 1), new Ipv6RouteChange(0, 129, 1)]));
        Assert.Throws<ArgumentException>(() => table.Apply([new Ipv6RouteChange(0, 0, 1), new Ipv6RouteChange(0, 128, -1)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Set(0, 129, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Set(0, -1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Set(0, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Withdraw(0, 129));
        Assert.Equal(0, table.Count);
        Assert.Equal(Ipv6Lpm.NoMatch, table.Lookup(0, 0));
    }

    [Fact]
    public void Apply_InternetTable_AgreesWithLengthByLengthAndFitsItsMemory()
    {
        (UInt128 First, byte Length, int Value)[] routes = InternetRoutes.V6(1, 100_000, 300);
        using var table = new Ipv6Lpm(new GracePeriods());
        table.Apply([.. routes.Select(route => new Ipv6RouteChange(route.First, route.Length, route.Value))]);
        Assert.Equal(routes.Length, table.Count);
        Assert.InRange(table.MemoryBytes, 1 << 20, 8 << 20);

        // Half of them go again, one by one; what is left is compared with a table of another kind, built from what is left.
        foreach ((UInt128 first, byte length, int value) in routes.AsSpan(0, routes.Length / 2))
        {
            Assert.Equal(value, table.Withdraw(first, length));
        }

        var oracle = new LengthByLength([.. routes.Skip(routes.Length / 2)
            .Select(route => (new IpPrefix(IpAddress.FromBits(IpFamily.V6, route.First), route.Length), route.Value))]);
        UInt128[] keys = InternetRoutes.KeysV6(2, routes, 50_000);
        var values = new int[keys.Length];
        table.Lookup([.. keys.Select(key => (ulong)(key >> 64))], [.. keys.Select(key => (ulong)key)], values);
        for (int i = 0; i < keys.Length; i++)
        {
            Assert.Equal(oracle.Lookup(IpAddress.FromBits(IpFamily.V6, keys[i])), values[i]);
        }
    }

    [Fact]
    public void Set_SamePlacesAgainAndAgain_MemoryDoesNotGrow()
    {
        var periods = new GracePeriods();
        using GracePeriods.Reader reader = periods.Register();
        using var table = new Ipv6Lpm(periods);
        long most = 0;
        for (int round = 0; round < 2000; round++)
        {
            UInt128 host = s_host ^ ((uint)(round * 0x9E3779B1) >> 20);
            table.Set(host, 128, 1 + (round % 600));
            table.Set(host << 8, 120, 1 + (round % 300));
            table.Withdraw(s_host ^ ((uint)((round - 16) * 0x9E3779B1) >> 20), 128);
            reader.Pass();
            if (round == 400)
            {
                most = table.MemoryBytes;
            }
        }

        Assert.InRange(table.MemoryBytes, 0, most + (256 << 10));
    }

    [Fact]
    public void Lookup_Always_AllocatesNothing()
    {
        using var table = new Ipv6Lpm(new GracePeriods());
        table.Set(0, 0, 1);
        table.Set(s_host, 128, 1000);
        ulong[] high = new ulong[256], low = new ulong[256];
        var values = new int[256];
        (high[7], low[7]) = ((ulong)(s_host >> 64), (ulong)s_host);
        table.Lookup(high, low, values);
        var meter = new AllocationMeter();
        for (int i = 0; i < 1000; i++)
        {
            meter.Open();
            table.Lookup(high, low, values);
            _ = table.Lookup((ulong)i, (ulong)i);
            meter.Close();
        }

        meter.AssertNone();
        Assert.Equal(1000, values[7]);
        Assert.Equal(1, values[8]);
    }

    private static int Lookup(Ipv6Lpm table, UInt128 address) => table.Lookup((ulong)(address >> 64), (ulong)address);

    private static bool Change(Ipv6Lpm table, RouteModel model, RouteChange[] step)
    {
        if (step.Length != 1)
        {
            table.Apply([.. step.Select(change => new Ipv6RouteChange(change.Prefix.Address.Bits, (byte)change.Prefix.Length, change.Value))]);
            model.Apply(step);
            return true;
        }

        (IpPrefix prefix, int value) = (step[0].Prefix, step[0].Value);
        UInt128 first = prefix.Address.Bits;
        int before = value == 0 ? table.Withdraw(first, prefix.Length) : table.Set(first, prefix.Length, value);
        return before == model.Set(prefix, value) && table.Find(first, prefix.Length) == value;
    }

    private static bool Agrees(Ipv6Lpm table, RouteModel model, IpAddress[] probes)
    {
        ulong[] high = [.. probes.Select(address => address.High)], low = [.. probes.Select(address => address.Low)];
        int[] fast = new int[probes.Length], scalar = new int[probes.Length];
        table.Lookup(high, low, fast);
        table.Lookup(high, low, scalar, CodePath.Scalar);
        for (int i = 0; i < probes.Length; i++)
        {
            (int length, int value) = model.Lookup(probes[i]);
            if (fast[i] != value || scalar[i] != value || table.LongestLength(probes[i].Bits) != length)
            {
                return false;
            }
        }

        return true;
    }
}
