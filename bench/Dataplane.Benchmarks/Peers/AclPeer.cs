using System.Diagnostics;
using Dataplane.Benchmarks.Filtering;
using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Benchmarks.Peers;

/// <summary>Classification by rules of the ClassBench shapes: lookups, a build from nothing, a change of one rule.</summary>
internal sealed class AclPeer : IPeerWork
{
    private const int Batch = 256, Headers = 1 << 16, NameBytes = 16;

    private static readonly (string Name, int Count)[] s_sizes = [("1k", 1_000), ("10k", 10_000)];

    private readonly Dictionary<string, Set> _sets = [];

    public IReadOnlyList<string> Cases => [.. Names(), .. Names().Select(name => name + "-build"), .. Names().Select(name => name + "-update")];

    public void Make(string path)
    {
        using var file = new BinaryWriter(File.Create(path));
        file.Write(Names().Count());
        foreach (RuleShape shape in RuleShape.All)
        {
            foreach ((string size, int count) in s_sizes)
            {
                // One family, no flags: what the peer's rules for five fields can say.
                FilterRuleSpec[] rules = RuleSets.Make(shape, count, seed: count);
                byte[] name = new byte[NameBytes];
                System.Text.Encoding.ASCII.GetBytes($"{shape.Name}-{size}", name);
                file.Write(name);
                file.Write(rules.Length);
                foreach (FilterRuleSpec rule in rules)
                {
                    Write(file, rule);
                }

                file.Write(Headers);
                foreach (ParsedFrame frame in RuleSets.Trace(rules, Headers, seed: count))
                {
                    file.Write((int)frame.Key.Protocol);
                    file.Write((uint)frame.Key.SourceLow);
                    file.Write((uint)frame.Key.DestinationLow);
                    file.Write(frame.Key.SourcePort);
                    file.Write(frame.Key.DestinationPort);
                }
            }
        }
    }

    public void Load(string path, TextWriter output)
    {
        using var file = new BinaryReader(File.OpenRead(path));
        for (int sets = file.ReadInt32(); sets > 0; sets--)
        {
            string name = System.Text.Encoding.ASCII.GetString(file.ReadBytes(NameBytes)).TrimEnd('\0');
            var rules = new FilterRuleSpec[file.ReadInt32()];
            for (int i = 0; i < rules.Length; i++)
            {
                rules[i] = Read(file, i);
            }

            var headers = new Header[file.ReadInt32()];
            for (int i = 0; i < headers.Length; i++)
            {
                byte protocol = (byte)file.ReadInt32();
                headers[i] = new Header(file.ReadUInt32(), file.ReadUInt32(), file.ReadUInt16(), file.ReadUInt16(), protocol);
            }

            FilterProgram program = FilterProgram.Compile(new FilterSpec { Rules = rules }, _ => -1);
            _sets[name] = new Set(rules, headers, program);
            output.WriteLine($"memory {name} ours {program.SizeBytes}");
        }
    }

    public void Round(string name, TextWriter output)
    {
        string[] parts = name.Split('-');
        Set set = _sets[$"{parts[0]}-{parts[1]}"];
        switch (parts.Length > 2 ? parts[2] : "")
        {
            case "":
                Lookups(name, set, output);
                break;
            case "build":
                Build(name, set, output);
                break;
            case "update":
                Update(name, set, output);
                break;
        }
    }

    public void Dispose() => _sets.Clear();

    private static IEnumerable<string> Names() => RuleShape.All.SelectMany(shape => s_sizes.Select(size => $"{shape.Name}-{size.Name}"));

    /// <summary>
    /// What is known of a batch is written to where it stays before the clock runs, as when a parser has just read it; both sides read as much for that. Of
    /// the passes each batch counts with its best time.
    /// </summary>
    private static void Lookups(string name, Set set, TextWriter output)
    {
        var batch = new ParsedFrame[Batch];
        int[] rules = new int[Batch];
        double[] best = new double[set.Headers.Length / Batch];
        Array.Fill(best, double.MaxValue);
        ulong sum = 0;
        long begin = Stopwatch.GetTimestamp();
        for (int passes = 0; passes < 8 || Stopwatch.GetElapsedTime(begin).TotalMilliseconds < 40; passes++)
        {
            sum = 0;
            for (int i = 0; i < best.Length; i++)
            {
                Parse(set.Headers.AsSpan(i * Batch, Batch), batch);
                long start = Stopwatch.GetTimestamp();
                set.Program.Match(batch, 0, rules);
                best[i] = Math.Min(best[i], Stopwatch.GetElapsedTime(start).TotalNanoseconds);
                foreach (int rule in rules)
                {
                    sum = (sum * 31) + (uint)(rule + 1);
                }
            }
        }

        PeerProgram.Line(output, name, "match", best.Sum() / set.Headers.Length, sum);
    }

    private static void Parse(ReadOnlySpan<Header> headers, Span<ParsedFrame> batch)
    {
        for (int i = 0; i < batch.Length; i++)
        {
            Header header = headers[i];
            IpAddress source = IpAddress.FromV4(header.Source), destination = IpAddress.FromV4(header.Destination);

            // Every header has its ports; the peer compares them whatever the protocol, and only rules for TCP and UDP ask.
            batch[i].Key = FlowKey.Create(source, header.SourcePort, destination, header.DestinationPort, header.Protocol);
            batch[i].Headers = new PacketHeaders { TransportOffset = 34, Protocol = header.Protocol, IpVersion = 4 };
        }
    }

    private static void Build(string name, Set set, TextWriter output)
    {
        const int Times = 5;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < Times; i++)
        {
            FilterProgram.Compile(new FilterSpec { Rules = set.Rules }, _ => -1);
        }

        PeerProgram.Line(output, name, "compile", Stopwatch.GetElapsedTime(start).TotalNanoseconds / Times, 0);
    }

    /// <summary>Rules leave and come back at random places; the builds that fall due every so many changes are in the mean.</summary>
    private static void Update(string name, Set set, TextWriter output)
    {
        const int Changes = 512;
        var random = new Random(1);
        double[] times = new double[Changes];
        FilterProgram program = set.Program;
        for (int i = 0; i < Changes; i += 2)
        {
            int place = random.Next(set.Rules.Length);
            long start = Stopwatch.GetTimestamp();
            program = program.Remove(place);
            long between = Stopwatch.GetTimestamp();
            program = program.Insert(place, set.Rules[place], _ => -1);
            (times[i], times[i + 1]) = (Stopwatch.GetElapsedTime(start, between).TotalNanoseconds, Stopwatch.GetElapsedTime(between).TotalNanoseconds);
        }

        double mean = times.Average();
        Array.Sort(times);
        PeerProgram.Line(output, name, "mean", mean, 0);
        PeerProgram.Line(output, name, "median", times[Changes / 2], 0);
    }

    private static void Write(BinaryWriter file, FilterRuleSpec rule)
    {
        PortRange from = rule.FromPort ?? PortRange.All, to = rule.ToPort ?? PortRange.All;
        file.Write((uint)(rule.From?.First.Low ?? 0));
        file.Write(rule.From?.Length ?? 0);
        file.Write((uint)(rule.To?.First.Low ?? 0));
        file.Write(rule.To?.Length ?? 0);
        file.Write(from.First);
        file.Write(to.First);
        file.Write(from.Last);
        file.Write(to.Last);
        file.Write((ushort)(rule.Protocol ?? 0));
        file.Write((ushort)(rule.Protocol is null ? 0 : byte.MaxValue));
    }

    private static FilterRuleSpec Read(BinaryReader file, int number)
    {
        uint source = file.ReadUInt32();
        int sourceLength = file.ReadInt32();
        uint destination = file.ReadUInt32();
        int destinationLength = file.ReadInt32();
        ushort fromFirst = file.ReadUInt16(), toFirst = file.ReadUInt16(), fromLast = file.ReadUInt16(), toLast = file.ReadUInt16(), protocol = file.ReadUInt16();
        bool anyProtocol = file.ReadUInt16() == 0;
        PortRange from = new(fromFirst, fromLast), to = new(toFirst, toLast);
        return new FilterRuleSpec
        {
            Name = $"r{number}",
            From = sourceLength == 0 ? null : new IpPrefix(IpAddress.FromV4(source), sourceLength),
            To = destinationLength == 0 ? null : new IpPrefix(IpAddress.FromV4(destination), destinationLength),
            FromPort = from.IsAll ? null : from,
            ToPort = to.IsAll ? null : to,
            Protocol = anyProtocol ? null : (byte)protocol,
        };
    }

    private readonly record struct Header(uint Source, uint Destination, ushort SourcePort, ushort DestinationPort, byte Protocol);

    private sealed record Set(FilterRuleSpec[] Rules, Header[] Headers, FilterProgram Program);
}
