using Dataplane.Gateway.CommandLine;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Commands;

/// <summary>Runs capture files through the engine.</summary>
internal sealed class ReplayCommand : Command
{
    private static readonly Option s_in = new("--in", "PORT=FILE", "what came in by a port: a capture file (pcap or pcapng)") { IsRepeatable = true, IsRequired = true };
    private static readonly Option s_out = new("--out", "DIR", "where the results are written; made if it does not exist") { IsRequired = true };
    private static readonly Option s_seed = new("--seed", "N", "seed of every choice made by chance, before that of the configuration; 0 where neither is given");

    public override string Name => "replay";

    public override string Summary => "run capture files through the same engine under a virtual clock";

    public override string Details => """
        Writes DIR/PORT.pcap for every port (what left by it) and DIR/decisions.jsonl (a line for every packet: its verdict
        and, if it was dropped, why), and prints what became of all packets. The clock is that of the captures: the same
        files, configuration and seed give the same bytes, run after run. No interface is opened. Hardware addresses are those
        that explain gives the ports: of the configuration, else of the interface if this machine has it, else by name.
        """;

    public override IReadOnlyList<string> Positionals => ["FILE"];

    public override IReadOnlyList<Option> Options => [s_in, s_out, s_seed];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        DataplaneSpec spec = ConfigurationFile.Load(arguments.Positionals[0], MeshRuntime.ExpandOnce).GetSpec();
        var inputs = new Dictionary<string, string>();
        foreach (string given in arguments.GetAll(s_in))
        {
            (string port, string file) = ReadInput(given, spec);
            if (!inputs.TryAdd(port, file))
            {
                throw new UsageException($"--in \"{given}\": port {port} has an input already; merge the captures (mergecap, of Wireshark).");
            }
        }

        if (arguments.GetNumber(s_seed, 0, long.MaxValue) is long seed)
        {
            spec = spec with { Workers = spec.Workers with { Seed = (ulong)seed } };
        }

        string directory = arguments.Get(s_out)!;
        if (File.Exists(directory))
        {
            throw new UsageException($"--out \"{directory}\": is a file; a directory is needed.");
        }

        spec = HardwareAddresses.Complete(spec);
        Accounting accounting = await new Replayer(spec, inputs, directory).RunAsync().ConfigureAwait(false);
        foreach (string line in AccountingReport.Lines(accounting))
        {
            await output.Out.WriteLineAsync(line).ConfigureAwait(false);
        }

        long foreign = accounting.DroppedFor(DropReason.NotForUs);
        if (foreign > 0 && foreign == accounting.Received)
        {
            string remedies = string.Join("; ", inputs.Keys.Select(port => HardwareAddresses.Remedy(spec, port)));
            await output.Error.WriteLineAsync($"All packets are for other stations: {remedies}.").ConfigureAwait(false);
        }

        return accounting.IsBalanced ? ExitCode.Ok : ExitCode.Failed;
    }

    private static (string Port, string File) ReadInput(string given, DataplaneSpec spec)
    {
        int equals = given.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0 || equals == given.Length - 1)
        {
            throw new UsageException($"--in \"{given}\": is not PORT=FILE, such as wan=in.pcap.");
        }

        (string port, string file) = (given[..equals], given[(equals + 1)..]);
        if (spec.Ports.All(known => known.Name != port))
        {
            throw new UsageException($"--in \"{given}\": there is no port {port}; the ports are {string.Join(", ", spec.Ports.Select(known => known.Name))}.");
        }

        return File.Exists(file) ? (port, file) : throw new FileNotFoundException($"--in \"{given}\": there is no such file.");
    }
}
