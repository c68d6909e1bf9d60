using System.Globalization;
using Dataplane.Gateway.Demo.Screen;
using Dataplane.Gateway.Demo.Traffic;

namespace Dataplane.Gateway.Demo;

/// <summary>What is printed below the last board.</summary>
internal static class DemoSummary
{
    public static IEnumerable<string> Lines(DemoBoard board, IReadOnlyList<string> accounting, bool isCut)
    {
        if (board.Scene == 0)
        {
            return isCut ? ["interrupted while the world was being built; everything is removed again"] : [];
        }

        TrafficReport traffic = board.Newest.Traffic;
        return
        [
            "",
            isCut ? "Interrupted. What was seen until then:" : "What was seen:",
            Line("http", traffic.Http),
            Line("udp", traffic.Udp),
            Line("guest", traffic.Guest),
            .. board.Events.Select(happened => $"  {happened}"),
            "",
            "What became of every packet (received + originated = transmitted + dropped + held):",
            .. accounting.Select(line => $"  {line}"),
            "",
            "Next: write a gateway.yaml and try  dataplane check gateway.yaml,  dataplane run gateway.yaml,  dataplane explain --help",
        ];
    }

    private static string Line(string name, TrafficFigures figures) => string.Create(CultureInfo.InvariantCulture,
        $"  {name,-6} {figures.Ok:N0} answered, {figures.Failed:N0} failed");
}
