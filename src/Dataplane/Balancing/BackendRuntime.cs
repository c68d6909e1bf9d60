using System.Runtime.InteropServices;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Counters of one backend; written by one worker, read by any thread.</summary>
/// <remarks>On cache lines of its own: the object is larger than one.</remarks>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal struct BackendCounts
{
    public long Flows;
    public long Packets;
    public long Bytes;

    /// <summary>Flows that remember the backend now.</summary>
    public long Active;

    /// <summary>Connections whose handshake was completed.</summary>
    public long Established;

    /// <summary>Connections that the backend refused by a reset before the handshake was completed.</summary>
    public long Refused;

    /// <summary>SYNs that clients repeated, since the first had no answer.</summary>
    public long Unanswered;

    /// <summary>Ports mapped towards everybody now, of an address that sources are translated to.</summary>
    public long Mappings;

    /// <summary>Flows that its slots would have given it and that went past it, since it had as many as it may.</summary>
    public long Diverted;
}

/// <summary>One backend in force: its addresses, and a slot number that stays its own as long as it is configured.</summary>
/// <remarks>When a backend goes, the generation of its slot changes; flows remember both, so none can outlive its backend unseen.</remarks>
internal sealed class BackendRuntime
{
    public required int Slot { get; init; }

    public required uint Generation { get; init; }

    public required IpAddress Address { get; init; }

    /// <summary>Its port; 0 when it gets packets at the port they were sent to.</summary>
    public required ushort Port { get; init; }

    public required int Weight { get; init; }

    /// <summary>Its share of new flows now: the weight, less during a slow start; 0 when it takes none. In a unit of the service's own.</summary>
    public int Share { get; init; } = 1;

    /// <summary>Whether it takes new flows.</summary>
    public BackendState State { get; init; }

    /// <summary>Why it is down.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Carried over from one version of the tables to the next.</summary>
    public required BackendCounter Counter { get; init; }

    /// <summary>The port at which it gets packets that were sent to one of the service's.</summary>
    public ushort PortFor(ushort servicePort) => Port == 0 ? servicePort : Port;

    public override string ToString() => Port == 0 ? Address.ToString() : Address.IsIpv6 ? $"[{Address}]:{Port}" : $"{Address}:{Port}";
}

/// <summary>Holder of a backend's counters: one for each worker, the first of which knows the others.</summary>
internal sealed class BackendCounter
{
    private BackendCounter[] _others = [];

    public BackendCounts Counts;

    /// <summary>All workers' counts. Any thread.</summary>
    public BackendCounts Total
    {
        get
        {
            BackendCounts total = Counts;
            foreach (BackendCounter other in Volatile.Read(ref _others))
            {
                total.Flows += other.Counts.Flows;
                total.Packets += other.Counts.Packets;
                total.Bytes += other.Counts.Bytes;
                total.Active += Volatile.Read(ref other.Counts.Active);
                total.Established += other.Counts.Established;
                total.Refused += other.Counts.Refused;
                total.Unanswered += other.Counts.Unanswered;
                total.Mappings += Volatile.Read(ref other.Counts.Mappings);
                total.Diverted += other.Counts.Diverted;
            }

            return total;
        }
    }

    /// <summary>The counters of a worker; for the first worker these. Control side.</summary>
    public BackendCounter OfWorker(int worker)
    {
        while (_others.Length < worker)
        {
            Volatile.Write(ref _others, [.. _others, new BackendCounter()]);
        }

        return worker == 0 ? this : _others[worker - 1];
    }
}
