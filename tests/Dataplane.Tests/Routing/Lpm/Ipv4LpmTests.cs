using Dataplane.Benchmarks.Routing;
using Dataplane.Packets;
using Dataplane.Routing.Lpm;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Routing.Lpm;

public class Ipv4LpmTests
{
    [Fact]
    public void Lookup_NoRoutes_IsNoMatch()
    {
        using var table = new Ipv4Lpm(new GracePeriods());
        Assert.Equal(Ipv4Lpm.NoMatch, table.Lookup(0));
        Assert.Equal(Ipv4Lpm.NoMatch, table.Lookup(uint.MaxValue));
        Assert.Equal(0, table.Count);
        Assert.Equal(-1, table.LongestLength(1));
    }

    [Fact]
    public void Set_DefaultToHost_LongestWinsAndWithdrawUncovers()
    {
        using var table = new Ipv4Lpm(new GracePeriods());
        for (int length = 0; length <= 32; length++)
        {
            Assert.Equal(Ipv4Lpm.NoMatch, table.Set(0xC0A8_FFFF, length, length + 1));
            Assert.Equal(length + 1, table.Lookup(0xC0A8_FFFF));
            Assert.Equal(length, table.LongestLength(0xC0A8_FFFF));
        }

        Assert.Equal(33, table.Count);
        Assert.Equal(32, table.Lookup(0xC0A8_FFFE));
        Assert.Equal(1, table.Lookup(0x4000_0000));
        for (int length = 32; length >= 0; length--)
        {
            Assert.Equal(length + 1, table.Withdraw(0xC0A8_FFFF, length));
            Assert.Equal(length, table.Lookup(0xC0A8_FFFF));
        }

        Assert.Equal(0, table.Count);
        Assert.Equal(Ipv4Lpm.NoMatch, table.Withdraw(0, 0));
    }

    [Fact]
    public void Lookup_AnySequenceOfChanges_AgreesWithLinearScan() =>
        Prop.ForAll(RouteModel.Steps(IpFamily.V4).ToArbitrary(), steps =>
        {
            using var table = new Ipv4Lpm(new GracePeriods());
            var model = new RouteModel();
            IpAddress[] probes = RouteModel.Probes(IpFamily.V4, steps.SelectMany(step => step).Select(change => change.Prefix));
            foreach (RouteChange[] step in steps)
            {
                if (!Change(table, model, step) || !Agrees(table, model, probes))
                {
                    return false;
                }
            }

            return table.Count == model.Count;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(1001)]
    public void Lookup_BatchesOfAnySize_AgreeWithSingleOnes(int size)
    {
        using var table = new Ipv4Lpm(new GracePeriods());
        var random = new Random(size);
        for (int i = 0; i < 2000; i++)
        {
            table.Set((uint)random.Next(1 << 16) << 8, random.Next(8, 33), random.Next(1, 500));
        }

        uint[] addresses = [.. Enumerable.Range(0, size).Select(_ => (uint)random.Next(1 << 24))];
        int[] fast = new int[size + 1], scalar = new int[size + 1];
        (fast[size], scalar[size]) = (-7, -7);
        table.Lookup(addresses, fast, CodePath.Auto);
        table.Lookup(addresses, scalar, CodePath.Scalar);
        Assert.Equal(scalar, fast);
        Assert.Equal(addresses.Select(address => table.Lookup(address)), fast.Take(size));
        Assert.Equal(-7, fast[size]);
        Assert.True(size < 100 || fast.Any(value => value > 254));
        Assert.Throws<ArgumentException>(() => table.Lookup(addresses, new int[size - 1]));
    }

    [Fact]
    public void Apply_BadChange_ThrowsAndChangesNothing()
    {
        using var table = new Ipv4Lpm(new GracePeriods());
        Assert.Throws<ArgumentException>(() => table.Apply([new Ipv4RouteChange(0, 0, 1), new Ipv4RouteChange(0, 33, 1)]));
        Assert.Throws<ArgumentException>(() => table.Apply([new Ipv4RouteChange(0, 0, 1), new Ipv4RouteChange(0, 32, -1)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Set(0, 33, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Set(0, -1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Set(0, 0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Withdraw(0, 33));
        Assert.Equal(0, table.Count);
        Assert.Equal(Ipv4Lpm.NoMatch, table.Lookup(0));
    }

    [Fact]
    public void Apply_InternetTable_AgreesWithLengthByLengthAndFitsItsMemory()
    {
        (uint First, byte Length, int Value)[] routes = InternetRoutes.V4(1, 200_000, 300);
        using var table = new Ipv4Lpm(new GracePeriods());
        table.Apply([.. routes.Select(route => new Ipv4RouteChange(route.First, route.Length, route.Value))]);
        Assert.Equal(routes.Length, table.Count);
        Assert.InRange(table.MemoryBytes, 17 << 20, 24 << 20);

        // Half of them go again, one by one; what is left is compared with a table of another kind, built from what is left.
        foreach ((uint first, byte length, int value) in routes.AsSpan(0, routes.Length / 2))
        {
            Assert.Equal(value, table.Withdraw(first, length));
        }

        var oracle = new LengthByLength([.. routes.Skip(routes.Length / 2)
            .Select(route => (new IpPrefix(IpAddress.FromV4(route.First), route.Length), route.Value))]);
        uint[] keys = InternetRoutes.KeysV4(2, routes, 100_000);
        var values = new int[keys.Length];
        table.Lookup(keys, values);
        for (int i = 0; i < keys.Length; i++)
        {
            Assert.Equal(oracle.Lookup(IpAddress.FromV4(keys[i])), values[i]);
        }
    }

    [Fact]
    public void Set_SameAreasAgainAndAgain_MemoryDoesNotGrow()
    {
        var periods = new GracePeriods();
        using GracePeriods.Reader reader = periods.Register();
        using var table = new Ipv4Lpm(periods);
        long most = 0;
        for (int round = 0; round < 2000; round++)
        {
            uint host = (uint)(round * 0x9E3779B1) >> 16;
            table.Set(0x0A00_0000 | host, 32, 1 + (round % 600));
            table.Set(0x0A00_0000 | (host & 0xFF00), 24, 1 + (round % 300));
            table.Withdraw(0x0A00_0000 | ((uint)((round - 16) * 0x9E3779B1) >> 16), 32);
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
        using var table = new Ipv4Lpm(new GracePeriods());
        table.Set(0, 0, 1);
        table.Set(0x0A000001, 32, 1000);
        var addresses = new uint[256];
        var values = new int[256];
        addresses[7] = 0x0A000001;
        table.Lookup(addresses, values);
        var meter = new AllocationMeter();
        for (int i = 0; i < 1000; i++)
        {
            meter.Open();
            table.Lookup(addresses, values);
            _ = table.Lookup((uint)i);
            meter.Close();
        }

        meter.AssertNone();
        Assert.Equal(1000, values[7]);
        Assert.Equal(1, values[8]);
    }

    private static bool Change(Ipv4Lpm table, RouteModel model, RouteChange[] step)
    {
        if (step.Length != 1)
        {
            table.Apply([.. step.Select(change => new Ipv4RouteChange((uint)change.Prefix.Address.Low, (byte)change.Prefix.Length, change.Value))]);
            model.Apply(step);
            return true;
        }

        (IpPrefix prefix, int value) = (step[0].Prefix, step[0].Value);
        uint first = (uint)prefix.Address.Low;
        int before = value == 0 ? table.Withdraw(first, prefix.Length) : table.Set(first, prefix.Length, value);
        return before == model.Set(prefix, value) && table.Find(first, prefix.Length) == value;
    }

    private static bool Agrees(Ipv4Lpm table, RouteModel model, IpAddress[] probes)
    {
        uint[] addresses = [.. probes.Select(address => (uint)address.Low)];
        int[] fast = new int[probes.Length], scalar = new int[probes.Length];
        table.Lookup(addresses, fast);
        table.Lookup(addresses, scalar, CodePath.Scalar);
        for (int i = 0; i < probes.Length; i++)
        {
            (int length, int value) = model.Lookup(probes[i]);
            if (fast[i] != value || scalar[i] != value || table.LongestLength(addresses[i]) != length)
            {
                return false;
            }
        }

        return true;
    }
}
