using System.Collections.Immutable;
using System.Text;
using Dataplane.Pipeline;

namespace Dataplane.Telemetry;

/// <summary>What became of every packet: received + originated = transmitted + dropped + held, at every moment it is read.</summary>
/// <param name="Received">Packets the ports handed over.</param>
/// <param name="Originated">Packets the engine made itself: ICMP errors, ARP and neighbour discovery, further fragments.</param>
/// <param name="Transmitted">Packets the ports accepted.</param>
/// <param name="Held">Packets that wait for their next hop to be resolved.</param>
/// <param name="DroppedByReason">Count per <see cref="DropReason"/>, indexed by its value.</param>
public sealed record Accounting(long Received, long Originated, long Transmitted, long Held, ImmutableArray<long> DroppedByReason)
{
    /// <summary>Sum over all reasons.</summary>
    public long Dropped => DroppedByReason.Sum();

    /// <summary>True when the invariant holds.</summary>
    public bool IsBalanced => Received + Originated == Transmitted + Dropped + Held;

    /// <summary>Packets dropped for one reason.</summary>
    public long DroppedFor(DropReason reason) => DroppedByReason[(int)reason];

    /// <summary>One line, with the reasons that occurred.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(System.Globalization.CultureInfo.InvariantCulture,
            $"received {Received} originated {Originated} transmitted {Transmitted} dropped {Dropped} held {Held}");
        for (int reason = 1; reason < DroppedByReason.Length; reason++)
        {
            if (DroppedByReason[reason] != 0)
            {
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $" {((DropReason)reason).ToName()}={DroppedByReason[reason]}");
            }
        }

        return text.ToString();
    }
}
