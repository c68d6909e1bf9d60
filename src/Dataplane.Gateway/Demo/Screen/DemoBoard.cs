using System.Globalization;
using Dataplane.Gateway.Demo.Traffic;
using Dataplane.Telemetry;

namespace Dataplane.Gateway.Demo.Screen;

/// <summary>What the demo shows: the figures of the last second, what happened, and the lines they make.</summary>
internal sealed class DemoBoard
{
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(2);

    private readonly Queue<DemoSample> _samples = new();
    private readonly List<DemoEvent> _events = [];
    private readonly BackendState[] _backends = new BackendState[DemoPlan.AllBackends];

    public DemoBoard(string description, TimeSpan length)
    {
        Description = description;
        Length = length;
        Array.Fill(_backends, BackendState.Alive, 0, DemoPlan.FirstBackends);
        Newest = Oldest = new DemoSample(TimeSpan.Zero, TrafficReport.Empty, null);
    }

    public string Description { get; }

    public TimeSpan Length { get; }

    public TimeSpan Elapsed { get; private set; }

    /// <summary>Number of the scene, from 1.</summary>
    public int Scene { get; private set; }

    public int Scenes { get; init; }

    public string Title { get; private set; } = "";

    public string Subtitle { get; private set; } = "";

    public DemoConfiguration Configuration { get; set; } = DemoConfiguration.First;

    public IReadOnlyList<DemoEvent> Events => _events;

    /// <summary>The packet explained at the end; null before.</summary>
    public Explanation? Explanation { get; set; }

    public DemoSample Newest { get; private set; }

    /// <summary>The sample that rates are counted from.</summary>
    public DemoSample Oldest { get; private set; }

    public BackendState this[int backend]
    {
        get => _backends[backend];
        set => _backends[backend] = value;
    }

    public void Begin(string title, string subtitle)
    {
        Scene++;
        (Title, Subtitle) = (title, subtitle);
    }

    public void Happened(string text, Style style = Style.Plain) => _events.Add(new DemoEvent(Elapsed, text, style));

    /// <summary>Takes a sample in.</summary>
    public void Add(DemoSample sample)
    {
        Elapsed = sample.At;
        Newest = sample;
        _samples.Enqueue(sample);
        while (_samples.Count > 2 && sample.At - _samples.Peek().At > s_window)
        {
            _samples.Dequeue();
        }

        Oldest = _samples.Peek();
    }

    /// <summary>Events per second over the last two seconds.</summary>
    public double Rate(Func<DemoSample, long> count)
    {
        double seconds = (Newest.At - Oldest.At).TotalSeconds;
        return seconds > 0 ? Math.Max(count(Newest) - count(Oldest), 0) / seconds : 0;
    }

    /// <summary>A backend's share of the requests answered in the last two seconds, 0 to 1.</summary>
    public double Share(int backend)
    {
        double all = Rate(sample => sample.Traffic.Http.Ok);
        string name = DemoPlan.Name(backend);
        return all > 0 ? Rate(sample => sample.AnsweredBy(name)) / all : 0;
    }

    public IEnumerable<StyledLine> Lines() => new BoardLayout(this).Lines();

    /// <summary>Everything in one line.</summary>
    public override string ToString()
    {
        TrafficFigures http = Newest.Traffic.Http, udp = Newest.Traffic.Udp;
        IEnumerable<string> shares = Enumerable.Range(0, DemoPlan.AllBackends).Where(backend => _backends[backend] != BackendState.Absent)
            .Select(backend => string.Create(CultureInfo.InvariantCulture, $"{DemoPlan.Name(backend)} {Share(backend):P0}"));
        long denied = Newest.Gateway?.Rules.FirstOrDefault(rule => rule.Name == DemoPlan.GuestRule)?.Packets ?? 0;
        return string.Create(CultureInfo.InvariantCulture, $"{DemoEvent.Clock(Elapsed)}  http {Rate(sample => sample.Traffic.Http.Ok):N0}/s, p50 {http.P50Us / 1000:0.00} ms, ")
            + string.Create(CultureInfo.InvariantCulture, $"p99 {http.P99Us / 1000:0.00} ms, {http.Failed} failed; udp {Rate(sample => sample.Traffic.Udp.Ok):N0}/s, {udp.Failed} failed; ")
            + string.Create(CultureInfo.InvariantCulture, $"gateway {Rate(sample => sample.Packets):N0} packets/s; {string.Join(", ", shares)}; {DemoPlan.GuestRule} {denied:N0}");
    }
}
