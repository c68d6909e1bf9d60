using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;

namespace Dataplane.Telemetry;

/// <summary>Runs the engine on capture files under a virtual clock: same input, configuration and seed give the same bytes, run after run.</summary>
/// <remarks>
/// Every port of the configuration, whatever its kind, is replaced by capture files: what came in by it, and what leaves by it. Packets
/// are taken one at a time in the order of their timestamps, ports in the order of the configuration where those are equal; between
/// them the clock moves in steps, so that timers run as they would have.
/// </remarks>
public sealed class Replayer
{
    private const long TimerStepNs = 100_000_000;

    /// <summary>Steps taken at most between two packets: long silences are walked in longer steps.</summary>
    private const int MaxSteps = 600;

    /// <summary>How long the clock goes on behind the last packet, so that what waits is answered or given up.</summary>
    private const long TailNs = 5_000_000_000;

    private readonly DataplaneSpec _spec;
    private readonly IReadOnlyDictionary<string, string> _inputs;
    private readonly string _outputDirectory;
    private readonly List<PcapPort> _ports = [];
    private readonly ReplayClock _clock = new();

    /// <summary>Prepares a replay.</summary>
    /// <param name="spec">The configuration.</param>
    /// <param name="inputs">Capture file by name of port; ports that are not named receive nothing.</param>
    /// <param name="outputDirectory">Where <c>PORT.pcap</c> and <c>decisions.jsonl</c> are written; made if it does not exist.</param>
    /// <param name="seed">Seed of every choice made by chance, unless the configuration names one.</param>
    /// <exception cref="ArgumentException">An input is for a port that the configuration does not have.</exception>
    public Replayer(DataplaneSpec spec, IReadOnlyDictionary<string, string> inputs, string outputDirectory, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(inputs);
        string? unknown = inputs.Keys.FirstOrDefault(name => !spec.Ports.Any(port => port.Name == name));
        if (unknown is not null)
        {
            throw new ArgumentException($"There is no port \"{unknown}\"; the ports are {string.Join(", ", spec.Ports.Select(port => port.Name))}.", nameof(inputs));
        }

        _inputs = inputs;
        _outputDirectory = outputDirectory;
        _spec = spec with
        {
            Ports = [.. spec.Ports.Select(port => port with { Factory = new Factory(this, port), Worker = null })],
            Workers = spec.Workers with { Seed = spec.Workers.Seed ?? seed, Cpu = null, Pin = [], Count = 1 },
        };
    }

    /// <summary>Replays everything.</summary>
    /// <param name="cancellationToken">Ends the replay early, between two packets.</param>
    /// <returns>What became of every packet.</returns>
    /// <exception cref="CaptureFormatException">An input is no capture file, or is damaged; what came before the damage has been replayed.</exception>
    /// <exception cref="IOException">A file could not be read or written, or an input would be overwritten by an output.</exception>
    public async Task<Accounting> RunAsync(CancellationToken cancellationToken = default)
    {
        RefuseToOverwriteInputs();
        Directory.CreateDirectory(_outputDirectory);
        await using FileStream log = File.Create(Path.Combine(_outputDirectory, "decisions.jsonl"));
        await using var decisions = new DecisionLog(log, [.. _spec.Ports.Select(port => port.Name)]);
        await using var engine = new DataplaneEngine(_spec, new DataplaneOptions { TimeProvider = _clock });
        engine.StartManual();
        engine.Observe(decisions);
        Replay(engine, cancellationToken);
        await engine.StopAsync(CancellationToken.None).ConfigureAwait(false);
        return _ports.Select(port => port.Fault).FirstOrDefault(fault => fault is not null) is { } fault ? throw fault : engine.ReadAccounting();
    }

    private void RefuseToOverwriteInputs()
    {
        foreach (PortSpec port in _spec.Ports)
        {
            string output = Path.GetFullPath(Path.Combine(_outputDirectory, port.Name + ".pcap"));
            if (_inputs.Values.FirstOrDefault(input => Path.GetFullPath(input) == output) is { } overwritten)
            {
                throw new IOException($"{overwritten} is an input, and what leaves by port {port.Name} would be written over it; write to another directory.");
            }
        }
    }

    private void Replay(DataplaneEngine engine, CancellationToken cancellationToken)
    {
        bool begun = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            long next = PcapPort.NoTimestamp;
            foreach (PcapPort port in _ports)
            {
                next = Math.Min(next, port.NextTimestampNs);
            }

            if (next == PcapPort.NoTimestamp)
            {
                break;
            }

            // Captures may step back in time; the clock does not.
            next = Math.Max(next, _clock.NowNs);
            if (begun)
            {
                PassTime(engine, next);
            }

            begun = true;
            _clock.NowNs = next;
            _ports.ForEach(port => port.ReceiveUntilNs = next);
            engine.RunOnce();
        }

        PassTime(engine, _clock.NowNs + TailNs);
    }

    private void PassTime(DataplaneEngine engine, long untilNs)
    {
        _ports.ForEach(port => port.ReceiveUntilNs = long.MinValue);
        long step = Math.Max(TimerStepNs, (untilNs - _clock.NowNs) / MaxSteps);
        while (_clock.NowNs + step < untilNs)
        {
            _clock.NowNs += step;
            engine.RunOnce();
        }
    }

    private PcapPort Open(PortSpec spec)
    {
        CaptureFileReader? reader = _inputs.TryGetValue(spec.Name, out string? path) ? CaptureFileReader.Open(path) : null;
        try
        {
            var writer = CaptureFileWriter.Create(Path.Combine(_outputDirectory, spec.Name + ".pcap"));
            var port = new PcapPort(reader, writer, spec.Mac ?? DerivedMac.FromName(spec.Name), spec.Mtu ?? 1500) { MostPerReceive = 1, ReceiveUntilNs = long.MinValue };
            _ports.Add(port);
            return port;
        }
        catch
        {
            reader?.Dispose();
            throw;
        }
    }

    private sealed class Factory(Replayer owner, PortSpec spec) : IPortFactory
    {
        public string Kind => "replay";

        public IPort Open(string name) => owner.Open(spec);
    }

    private sealed class ReplayClock : TimeProvider
    {
        public long NowNs { get; set; }

        public override long TimestampFrequency => 1_000_000_000;

        public override long GetTimestamp() => NowNs;
    }
}
