using System.Diagnostics;
using System.Globalization;

namespace Dataplane.Benchmarks.Peers;

/// <summary>Our side of <c>bench/peers/tables/run</c>: makes the data both sides work on, then serves rounds turn by turn (see peer.h).</summary>
internal static class PeerProgram
{
    /// <summary>Every work there is a peer for: a new one is a line here and a C file there.</summary>
    private static readonly Dictionary<string, Func<IPeerWork>> s_works = new()
    {
        ["lpm"] = () => new LpmPeer(),
        ["acl"] = () => new AclPeer(),
        ["hash"] = () => new HashPeer(),
        ["maglev"] = () => new MaglevPeer(),
    };

    /// <summary>Serves <c>WORK make FILE</c> or <c>WORK serve FILE</c>.</summary>
    public static int Run(ReadOnlySpan<string> args)
    {
        if (args is not [string name, "make" or "serve", string path] || !s_works.TryGetValue(name, out Func<IPeerWork>? create))
        {
            Console.Error.WriteLine($"usage: peer ({string.Join(" | ", s_works.Keys)}) (make | serve) FILE");
            return 2;
        }

        using IPeerWork work = create();
        if (args[1] == "make")
        {
            work.Make(path);
            return 0;
        }

        using var output = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true };
        work.Load(path, output);
        WarmUp(work);
        foreach (string item in work.Cases)
        {
            output.WriteLine($"case {item}");
        }

        output.WriteLine("ready");
        while (Console.ReadLine() is { } line)
        {
            if (line.StartsWith("round ", StringComparison.Ordinal))
            {
                work.Round(line[6..], output);
            }

            output.WriteLine("done");
        }

        return 0;
    }

    /// <summary>Runs everything until it is compiled at the highest tier, which happens behind the program's back.</summary>
    private static void WarmUp(IPeerWork work)
    {
        for (int round = 0; round < 5; round++)
        {
            foreach (string item in work.Cases)
            {
                work.Round(item, TextWriter.Null);
            }

            Thread.Sleep(200);
        }
    }

    /// <summary>Writes the best time of many slices of at least 0.2 ms in 40 ms, as peer.h does.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="name">The case.</param>
    /// <param name="variant">What of ours.</param>
    /// <param name="pass">One pass over everything; gives the checksum.</param>
    /// <param name="operations">In a pass.</param>
    public static void Report(TextWriter output, string name, string variant, Func<ulong> pass, int operations)
    {
        ulong sum = pass();
        double best = double.MaxValue;
        long begin = Stopwatch.GetTimestamp();
        do
        {
            long start = Stopwatch.GetTimestamp(), passes = 0;
            TimeSpan spent;
            do
            {
                sum = pass();
                passes++;
                spent = Stopwatch.GetElapsedTime(start);
            }
            while (spent.TotalMilliseconds < 0.2);
            best = Math.Min(best, spent.TotalNanoseconds / passes);
        }
        while (Stopwatch.GetElapsedTime(begin).TotalMilliseconds < 40);
        Line(output, name, variant, best / operations, sum);
    }

    /// <summary>Writes a line.</summary>
    public static void Line(TextWriter output, string name, string variant, double nanoseconds, ulong sum) =>
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} {variant} {nanoseconds:F4} {sum}"));
}
