using System.Diagnostics;
using System.Globalization;
using Dataplane.Packets;

namespace Dataplane.Benchmarks.Pipeline;

/// <summary>What <see cref="CaptureBenchmarks"/> measures, all in turn in slices of a millisecond or so: ratios that hold on a machine which others use too.</summary>
internal static class CaptureRatios
{
    private const int BatchesOfASlice = 40, WarmUpRounds = 100;

    private static readonly string[] s_captured = ["off", "host 192.0.2.1", "dropped", "src portrange 1024-1033", "all"];

    public static int Run(ReadOnlySpan<string> arguments)
    {
        int rounds = arguments is [var text] ? int.Parse(text, CultureInfo.InvariantCulture) : 2000;
        foreach (int family in (int[])[4, 6])
        {
            CaptureBenchmarks[] ways = [.. s_captured.Select(captured => new CaptureBenchmarks { Captured = captured, Family = family })];
            Array.ForEach(ways, way => way.Setup());
            double[][] costs = [.. ways.Select(_ => new double[rounds])];
            for (int round = -WarmUpRounds; round < rounds; round++)
            {
                for (int way = 0; way < ways.Length; way++)
                {
                    double cost = Slice(ways[way]);
                    costs[way][Math.Max(0, round)] = cost;
                }
            }

            for (int way = 0; way < ways.Length; way++)
            {
                double ratio = Median(costs[way].Zip(costs[0], (one, off) => one / off));
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"IPv{family} {s_captured[way],-24} ns per packet: least {costs[way].Min(),6:F1} median {Median(costs[way]),6:F1}; times off: {ratio:F2}"));
            }
        }

        return 0;
    }

    private static double Slice(CaptureBenchmarks way)
    {
        long begun = Stopwatch.GetTimestamp();
        for (int batch = 0; batch < BatchesOfASlice; batch++)
        {
            way.Forward();
        }

        return Stopwatch.GetElapsedTime(begun).TotalNanoseconds / (BatchesOfASlice * PacketBatch.Capacity);
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
