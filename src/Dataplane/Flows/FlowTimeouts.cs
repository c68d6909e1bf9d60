using Dataplane.Nat;

namespace Dataplane.Flows;

/// <summary>Idle times by state after which flows are forgotten, in ticks of the flow table. Immutable.</summary>
internal sealed class FlowTimeouts
{
    private readonly uint[] _ticks = new uint[(int)FlowState.Other + 1];

    private FlowTimeouts(NatTimeouts timeouts)
    {
        _ticks[(int)FlowState.TcpEstablished] = Ticks(timeouts.TcpEstablished);
        _ticks[(int)FlowState.TcpTransitory] = Ticks(timeouts.TcpTransitory);
        _ticks[(int)FlowState.TcpClosing] = Ticks(timeouts.TcpClosing);
        _ticks[(int)FlowState.Udp] = Ticks(timeouts.Udp);
        _ticks[(int)FlowState.Other] = Ticks(timeouts.Udp);
        _ticks[(int)FlowState.IcmpQuery] = Ticks(timeouts.Icmp);
    }

    /// <summary>Those of flows that no rule says anything of: RFC 4787, 5382, 5508 and 7857.</summary>
    public static FlowTimeouts Default { get; } = new(new NatTimeouts());

    /// <summary>The idle time of a state.</summary>
    public uint this[FlowState state] => _ticks[(int)state];

    public static FlowTimeouts Of(NatTimeouts timeouts) => timeouts == new NatTimeouts() ? Default : new FlowTimeouts(timeouts);

    private static uint Ticks(TimeSpan time) => FlowTable.Ticks((long)time.TotalNanoseconds);
}
