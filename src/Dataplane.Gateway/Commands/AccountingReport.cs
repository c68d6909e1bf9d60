using System.Globalization;
using Dataplane.Pipeline;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Commands;

/// <summary>Prints what became of every packet.</summary>
internal static class AccountingReport
{
    /// <summary>One line a figure, name and number; the reasons that occurred indented under their sum.</summary>
    public static IEnumerable<string> Lines(Accounting accounting)
    {
        yield return Line("received", accounting.Received);
        yield return Line("originated", accounting.Originated);
        yield return Line("transmitted", accounting.Transmitted);
        yield return Line("dropped", accounting.Dropped);
        for (int reason = 1; reason < accounting.DroppedByReason.Length; reason++)
        {
            if (accounting.DroppedByReason[reason] != 0)
            {
                yield return Line("  " + ((DropReason)reason).ToName(), accounting.DroppedByReason[reason]);
            }
        }

        yield return Line("held", accounting.Held);
        if (!accounting.IsBalanced)
        {
            yield return "THE ACCOUNTING DOES NOT BALANCE: received + originated is not transmitted + dropped + held. This is a fault of the program; please report it.";
        }
    }

    private static string Line(string name, long value) => string.Create(CultureInfo.InvariantCulture, $"{name,-28} {value}");
}
