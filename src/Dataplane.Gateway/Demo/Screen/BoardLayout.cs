using System.Globalization;
using Dataplane.Gateway.Demo.Traffic;
using Dataplane.Telemetry;
using static Dataplane.Gateway.Demo.DemoPlan;

namespace Dataplane.Gateway.Demo.Screen;

/// <summary>Lays a board out: at most thirty lines of a hundred columns.</summary>
internal readonly struct BoardLayout(DemoBoard board)
{
    private const int Columns = 98;
    private const int BarColumns = 40;
    private const int MostEvents = 7;

    public IEnumerable<StyledLine> Lines()
    {
        var lines = new List<StyledLine>();
        AddHeader(lines);
        AddTraffic(lines);
        AddBackends(lines);
        AddDrops(lines);
        AddAccounting(lines);
        AddEvents(lines);
        return lines;
    }

    private void AddHeader(List<StyledLine> lines)
    {
        lines.Add(new StyledLine().Add(" dataplane demo", Style.Heading).Add("   " + board.Description, Style.Dim)
            .Right(Columns, $"{DemoEvent.Clock(board.Elapsed)} / {DemoEvent.Clock(board.Length)}", Style.Bold));
        lines.Add(Progress());
        lines.Add(new StyledLine().Add(" ▌ ", Style.Accent).Add(board.Title, Style.Bold).Add("  " + board.Subtitle));
        lines.Add(StyledLine.Empty);
    }

    private StyledLine Progress()
    {
        double share = Math.Clamp(board.Elapsed / board.Length, 0, 1);
        int done = (int)(share * (Columns - 1));
        return new StyledLine().Add(" ").Add(new string('━', done), Style.Accent).Add(new string('─', Columns - 1 - done), Style.Dim);
    }

    private void AddTraffic(List<StyledLine> lines)
    {
        lines.Add(new StyledLine().Add(" TRAFFIC", Style.Heading).Right(26, "answered/s", Style.Dim).Right(38, "answered", Style.Dim).Right(48, "failed/s", Style.Dim)
            .Right(57, "failed", Style.Dim).Right(69, "p50", Style.Dim).Right(81, "p99", Style.Dim));
        lines.Add(Traffic("http", sample => sample.Traffic.Http, "IPv4 + IPv6"));
        lines.Add(Traffic("udp echo", sample => sample.Traffic.Udp, "IPv4 + IPv6"));
        lines.Add(Traffic("guest", sample => sample.Traffic.Guest, Guest));
        double packets = board.Rate(sample => sample.Packets), bits = board.Rate(sample => sample.Bytes) * 8;
        lines.Add(new StyledLine().Add("   gateway").Right(26, Number(packets), Style.Bold).Add(" packets/s", Style.Dim)
            .Right(57, $"{bits / 1e6:0.0} Mbit/s".ToString(CultureInfo.InvariantCulture)).Right(81, $"{Number(board.Newest.Gateway?.Flows ?? 0)} flows")
            .To(84).Add($"tables v{board.Newest.Gateway?.Version ?? 0}", Style.Dim));
        lines.Add(StyledLine.Empty);
    }

    private StyledLine Traffic(string name, Func<DemoSample, TrafficFigures> read, string remark)
    {
        TrafficFigures now = read(board.Newest);
        double ok = board.Rate(sample => read(sample).Ok), failed = board.Rate(sample => read(sample).Failed);
        return new StyledLine().Add("   " + name).Right(26, Number(ok), Style.Bold).Right(38, Number(now.Ok)).Right(48, Number(failed), failed > 0.5 ? Style.Bad : Style.Dim)
            .Right(57, Number(now.Failed), now.Failed > 0 ? Style.Warn : Style.Dim).Right(69, Milliseconds(now.P50Us)).Right(81, Milliseconds(now.P99Us))
            .To(84).Add(remark, Style.Dim);
    }

    private void AddBackends(List<StyledLine> lines)
    {
        lines.Add(new StyledLine().Add(" BACKENDS", Style.Heading).To(22).Add("share of http requests", Style.Dim).Right(72, "share", Style.Dim).Right(81, "wanted", Style.Dim)
            .Right(94, "requests", Style.Dim));
        for (int backend = 0; backend < AllBackends; backend++)
        {
            lines.Add(Backend(backend));
        }

        lines.Add(StyledLine.Empty);
    }

    private StyledLine Backend(int backend)
    {
        BackendState state = board[backend];
        StyledLine line = new StyledLine().Add("   " + Name(backend), state == BackendState.Alive ? Style.Bold : Style.Dim);
        if (state == BackendState.Absent)
        {
            return line.To(22).Add("not there yet", Style.Dim);
        }

        double share = board.Share(backend), wanted = board.Configuration.TargetShare(backend);
        line.To(10).Add($"weight {Weight(backend)}", Style.Dim).To(22);
        if (state == BackendState.Alive || share > 0.01)
        {
            AddBar(line, share, wanted);
        }
        else
        {
            line.Add(state == BackendState.Killed ? "✗ killed, still in the configuration" : "✗ killed, removed", Style.Bad);
        }

        return line.Right(72, Percent(share), Style.Bold).Right(81, Percent(wanted), Style.Dim).Right(94, Number(board.Newest.AnsweredBy(Name(backend))));
    }

    /// <summary>A bar in eighths of a column, with a mark where it should end.</summary>
    private static void AddBar(StyledLine line, double share, double wanted)
    {
        int eighths = (int)Math.Round(Math.Clamp(share, 0, 1) * BarColumns * 8);
        string bar = new string('█', eighths / 8) + (eighths % 8 > 0 ? "▏▎▍▌▋▊▉"[(eighths % 8) - 1].ToString() : "");
        line.Add(bar, Math.Abs(share - wanted) < 0.08 ? Style.Good : Style.Warn);
        int mark = (int)Math.Round(wanted * BarColumns);
        if (mark > bar.Length)
        {
            line.Add(new string(' ', mark - bar.Length) + "│", Style.Dim);
        }
    }

    private void AddDrops(List<StyledLine> lines)
    {
        lines.Add(new StyledLine().Add(" DROPPED", Style.Heading).Add(" by the gateway, by reason", Style.Dim));
        KeyValuePair<string, long>[] reasons =
        [
            .. (board.Newest.Gateway?.Dropped ?? new Dictionary<string, long>()).Where(reason => !reason.Key.StartsWith("consumed", StringComparison.Ordinal))
                .OrderByDescending(reason => reason.Value).Take(3),
        ];
        if (reasons.Length == 0)
        {
            lines.Add(new StyledLine().Add("   nothing", Style.Good));
        }

        foreach ((string reason, long count) in reasons)
        {
            double rate = board.Rate(sample => sample.Dropped(reason));
            string rule = reason == "filter_rule" ? string.Join(", ", (board.Newest.Gateway?.Rules ?? []).SkipLast(1).Where(entry => entry.Packets > 0).Select(entry => $"rule {entry.Name}: {Number(entry.Packets)}")) : "";
            lines.Add(new StyledLine().Add("   " + reason).Right(38, Number(count), Style.Bold).Right(48, $"{Number(rate)}/s").To(52).Add(rule, Style.Warn));
        }

        lines.Add(StyledLine.Empty);
    }

    private void AddAccounting(List<StyledLine> lines)
    {
        if (board.Newest.Gateway is not { } gateway)
        {
            return;
        }

        long dropped = gateway.Dropped.Values.Sum();
        bool balanced = gateway.Received + gateway.Originated == gateway.Transmitted + dropped + gateway.Held;
        lines.Add(new StyledLine().Add(" ACCOUNTING  ", Style.Heading)
            .Add($"received {Number(gateway.Received)} + originated {Number(gateway.Originated)} = transmitted {Number(gateway.Transmitted)} + dropped {Number(dropped)} + held {Number(gateway.Held)}")
            .Add(balanced ? "  ✓ exact" : "  ✗ NOT BALANCED", balanced ? Style.Good : Style.Bad));
        lines.Add(StyledLine.Empty);
    }

    private void AddEvents(List<StyledLine> lines)
    {
        if (board.Explanation is { } explanation)
        {
            AddExplanation(lines, explanation);
            return;
        }

        lines.Add(new StyledLine().Add(" EVENTS", Style.Heading));
        lines.AddRange(board.Events.TakeLast(MostEvents).Select(happened =>
            new StyledLine().Add($"   {DemoEvent.Clock(happened.At)}  ", Style.Dim).Add(happened.Text, happened.Style)));
    }

    private static void AddExplanation(List<StyledLine> lines, Explanation explanation)
    {
        const int DetailColumn = 28;
        lines.Add(new StyledLine().Add(" ONE PACKET EXPLAINED  ", Style.Heading).Add(explanation.ToString().Split('\n')[0], Style.Bold));
        foreach (ExplainStep step in explanation.Steps.Where(step => step.Stage != "parse"))
        {
            StyledLine line = new StyledLine().Add("   " + step.Stage, Style.Accent).To(14).Add(step.Outcome, Style.Bold).To(DetailColumn);
            foreach (string part in Wrap(step.Detail, Columns - DetailColumn))
            {
                lines.Add(line.To(DetailColumn).Add(part));
                line = new StyledLine();
            }
        }

        string end = explanation.OutPort is { } port ? $"=> leaves by {port}, {explanation.Output.Length} bytes" : $"=> {explanation.Verdict} {explanation.Reason}";
        lines.Add(new StyledLine().Add("   " + end, Style.Good));
    }

    /// <summary>Breaks a text between words.</summary>
    private static IEnumerable<string> Wrap(string text, int width)
    {
        while (text.Length > width && text.LastIndexOf(' ', width) is > 0 and var blank)
        {
            yield return text[..blank];
            text = text[(blank + 1)..];
        }

        yield return text;
    }

    private static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Percent(double share) => (share * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    private static string Milliseconds(double us) => us > 0 ? (us / 1000).ToString("0.00", CultureInfo.InvariantCulture) + " ms" : "-";
}
