using System.Globalization;
using Dataplane.Balancing;
using Dataplane.Hosting.Reloading;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Commands;

/// <summary>Tells what came of a reload.</summary>
internal static class ReloadReport
{
    /// <summary>Writes it.</summary>
    /// <param name="outcome">What came of it.</param>
    /// <param name="longestPause">How long a worker was away from its ports since the reload began; asked when all else is done.</param>
    /// <param name="print">Where the lines go.</param>
    /// <param name="error">Where those of a reload that was refused go.</param>
    public static void Write(ReloadOutcome outcome, Func<TimeSpan> longestPause, LinePrinter print, TextWriter error)
    {
        if (outcome.IsRejected)
        {
            IEnumerable<string> why = outcome.Failure is { } failure ? [failure.Message] : outcome.Errors.Select(wrong => wrong.ToString());
            new LinePrinter(error).Lines([.. why, "reload rejected, keeping the last good configuration"]);
        }
        else if (outcome.Receipt is not null)
        {
            IReadOnlyList<string> lines = Lines(outcome);
            string pause = string.Create(CultureInfo.InvariantCulture, $"  longest pause of a worker meanwhile: {longestPause().TotalMilliseconds:0.000} ms");
            print.Lines(["reloaded: " + lines[0], .. lines.Skip(1).Select(line => "  " + line), pause]);
        }
        else
        {
            print.Line("reloaded: nothing changed");
        }
    }

    /// <summary>What an applied reload has done: the version, what changed, what that moved.</summary>
    public static IReadOnlyList<string> Lines(ReloadOutcome outcome) =>
        [$"version {outcome.Receipt!.Version}", .. SpecDifferences.Lines(outcome.Before, outcome.After), .. outcome.Receipt.Services.Select(Moved),
            .. outcome.Receipt.Backends.Select(change => change.ToString()), .. Flows(outcome.Receipt.Flows)];

    private static IEnumerable<string> Flows(FlowChange flows) =>
        flows.Total == 0 ? [] : [$"flows: {flows.Kept} kept, {flows.Moved} moved, {flows.Ended} ended, {flows.Leaving} leaving since earlier"];

    private static string Moved(ServiceChange change) => change.IsNewGeneration
        ? $"service {change.Service}: hashes anew, {change.SlotsMoved} of {change.Slots} slots lead elsewhere; {change.FlowsKept} flows keep their backend"
        : $"service {change.Service}: {change.SlotsMoved} of {change.Slots} slots moved, the least possible is {change.MinimumSlotsMoved}";
}
