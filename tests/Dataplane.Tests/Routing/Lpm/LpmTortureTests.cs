using Dataplane.Packets;
using Dataplane.Routing.Lpm;

namespace Dataplane.Tests.Routing.Lpm;

/// <summary>Changes at full speed against readers that check every answer: it must have been the truth at some moment of the lookup.</summary>
public class LpmTortureTests
{
    private const int Versions = 3000, Keys = 256;

    [Fact]
    public void Ipv4_ChangesWhileReading_EveryAnswerWasTrue()
    {
        (List<RouteChange[]> steps, IpAddress[] keys, int[][] truth) = History(IpFamily.V4, new Random(1));
        var periods = new GracePeriods();
        using var table = new Ipv4Lpm(periods);
        uint[] addresses = [.. keys.Select(key => (uint)key.Low)];
        Run(periods, truth, steps.Count, values => table.Lookup(addresses, values), step =>
        {
            if (steps[step] is [var one])
            {
                uint first = (uint)one.Prefix.Address.Low;
                _ = one.Value == 0 ? table.Withdraw(first, one.Prefix.Length) : table.Set(first, one.Prefix.Length, one.Value);
            }
            else
            {
                table.Apply([.. steps[step].Select(change => new Ipv4RouteChange((uint)change.Prefix.Address.Low, (byte)change.Prefix.Length, change.Value))]);
            }
        });
    }

    [Fact]
    public void Ipv6_ChangesWhileReading_EveryAnswerWasTrue()
    {
        (List<RouteChange[]> steps, IpAddress[] keys, int[][] truth) = History(IpFamily.V6, new Random(2));
        var periods = new GracePeriods();
        using var table = new Ipv6Lpm(periods);
        ulong[] high = [.. keys.Select(key => key.High)], low = [.. keys.Select(key => key.Low)];
        Run(periods, truth, steps.Count, values => table.Lookup(high, low, values), step =>
        {
            if (steps[step] is [var one])
            {
                UInt128 first = one.Prefix.Address.Bits;
                _ = one.Value == 0 ? table.Withdraw(first, one.Prefix.Length) : table.Set(first, one.Prefix.Length, one.Value);
            }
            else
            {
                table.Apply([.. steps[step].Select(change => new Ipv6RouteChange(change.Prefix.Address.Bits, (byte)change.Prefix.Length, change.Value))]);
            }
        });
    }

    /// <summary>A random history around a few keys, and the right answer for each key after each step.</summary>
    private static (List<RouteChange[]> Steps, IpAddress[] Keys, int[][] Truth) History(IpFamily family, Random random)
    {
        int bits = family == IpFamily.V4 ? 32 : 128;
        var keys = new IpAddress[Keys];
        for (int i = 0; i < Keys; i++)
        {
            // Four sites of 64 addresses that share all but some bits.
            UInt128 site = (UInt128)0x0A0B0C0D << (bits - 32);
            keys[i] = IpAddress.FromBits(family, site ^ ((UInt128)(uint)(i >> 6) << (bits - 17)) ^ ((UInt128)(uint)random.Next(16) << random.Next(bits - 16)));
        }

        var model = new RouteModel();
        var steps = new List<RouteChange[]>();
        int[][] truth = new int[Versions + 1][];
        truth[0] = new int[Keys];
        for (int version = 1; version <= Versions; version++)
        {
            var step = new RouteChange[random.Next(8) == 0 ? random.Next(2, 20) : 1];
            for (int i = 0; i < step.Length; i++)
            {
                int length = random.Next(400) == 0 ? random.Next(bits - 13) : random.Next(bits / 2, bits + 1);
                int value = random.Next(3) == 0 ? 0 : random.Next(4) == 0 ? random.Next(250, 260) : random.Next(1, 255);
                step[i] = new RouteChange(new IpPrefix(keys[random.Next(Keys)], length).Network, value);
            }

            model.Apply(step);
            steps.Add(step);
            truth[version] = [.. keys.Select(key => model.Lookup(key).Value)];
        }

        return (steps, keys, truth);
    }

    private static void Run(GracePeriods periods, int[][] truth, int stepCount, Action<int[]> lookup, Action<int> change)
    {
        int started = 0, finished = 0, wrong = 0, checkedWhileChanging = 0;
        string? first = null;
        void Read()
        {
            using GracePeriods.Reader reader = periods.Register();
            var values = new int[Keys];
            while (Volatile.Read(ref finished) < stepCount && Volatile.Read(ref wrong) == 0)
            {
                int from = Volatile.Read(ref finished);
                lookup(values);
                Interlocked.MemoryBarrier();
                int to = Volatile.Read(ref started);
                for (int key = 0; key < Keys; key++)
                {
                    int version = from;
                    while (version <= to && truth[version][key] != values[key])
                    {
                        version++;
                    }

                    if (version > to)
                    {
                        Interlocked.CompareExchange(ref first, $"key {key}: {values[key]} between versions {from} and {to}: {string.Join(' ', Enumerable.Range(from, to - from + 1).Select(v => truth[v][key]))}", null);
                        Interlocked.Increment(ref wrong);
                    }
                }

                Interlocked.Add(ref checkedWhileChanging, to > from ? 1 : 0);
                reader.Pass();
            }
        }

        Thread[] readers = [new Thread(Read), new Thread(Read)];
        foreach (Thread reader in readers)
        {
            reader.Start();
        }

        for (int step = 0; step < stepCount && Volatile.Read(ref wrong) == 0; step++)
        {
            Volatile.Write(ref started, step + 1);
            Interlocked.MemoryBarrier();
            change(step);
            Volatile.Write(ref finished, step + 1);
        }

        Volatile.Write(ref finished, stepCount);
        foreach (Thread reader in readers)
        {
            reader.Join();
        }

        Assert.True(wrong == 0, first);
        Assert.NotEqual(0, checkedWhileChanging);
    }
}
