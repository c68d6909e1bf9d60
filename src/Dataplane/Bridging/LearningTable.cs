using Dataplane.Ports;

namespace Dataplane.Bridging;

/// <summary>All learning bridges in force. Immutable.</summary>
internal sealed class LearningTable
{
    private readonly BridgePort?[] _byPort;

    private LearningTable(LearningBridge[] bridges, int ports)
    {
        Bridges = bridges;
        _byPort = new BridgePort?[ports];
        foreach (BridgePort port in bridges.SelectMany(bridge => bridge.Ports))
        {
            _byPort[port.Id] = port;
        }
    }

    public static LearningTable Empty { get; } = new([], 0);

    public LearningBridge[] Bridges { get; }

    /// <summary>The place of a port in its bridge; null when it has none.</summary>
    public BridgePort? OfPort(int port) => (uint)port < (uint)_byPort.Length ? _byPort[port] : null;

    /// <summary>Makes the table. Control side.</summary>
    public static LearningTable Compile(IReadOnlyList<BridgeSpec> specs, PortSet ports, LearningTable? previous, long nowNs) => specs.Count == 0 ? Empty : new LearningTable(
        [.. specs.Select(spec => new LearningBridge(spec, ports, Array.Find(previous?.Bridges ?? [], bridge => bridge.Spec.Name == spec.Name), nowNs))], ports.ById.Length);

    /// <summary>Forgets what has aged; ten times a second, by one worker.</summary>
    public void Tick(long nowNs)
    {
        foreach (LearningBridge bridge in Bridges)
        {
            bridge.Table.Sweep(nowNs);
        }
    }
}
