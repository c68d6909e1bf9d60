using System.Globalization;

namespace Dataplane.Telemetry;

/// <summary>What a successor has taken over.</summary>
/// <param name="Outcome">Whether it has.</param>
/// <param name="State">What has become of the flows; of <see cref="HandOverOutcome.Alone"/> those of the state that it was given instead, if any.</param>
public sealed record HandOverReceipt(HandOverOutcome Outcome, StateReceipt State)
{
    /// <summary>Why it was refused, in words; empty when it was not.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Ports whose descriptors were passed: not a frame that waited in them is lost.</summary>
    public IReadOnlyList<string> PortsPassed { get; init; } = [];

    /// <summary>Ports that were closed there and opened here: frames that came in between are lost, and peers connect anew.</summary>
    public IReadOnlyList<string> PortsReopened { get; init; } = [];

    /// <summary>Neighbours that need not be asked for again.</summary>
    public int Neighbours { get; init; }

    /// <summary>From when the one stopped receiving until the other began to.</summary>
    public TimeSpan Blocked { get; init; }

    /// <summary>Completes when the process before has let go of everything else, such as addresses that it listens on, or has ended; at most 10 s after it was to.</summary>
    public Task PredecessorEnded { get; init; } = Task.CompletedTask;

    /// <summary>In a line, as the program prints it.</summary>
    public override string ToString() => Outcome switch
    {
        HandOverOutcome.TakenOver => string.Create(CultureInfo.InvariantCulture,
            $"took over {State}; {PortsPassed.Count} ports passed, {PortsReopened.Count} reopened{Names(PortsReopened)}; {Neighbours} neighbours; blocked for {Blocked.TotalMilliseconds:F1} ms"),
        HandOverOutcome.Refused => $"refused ({Reason}): cold start",
        _ => State.Flows == 0 && State.Refusal == StateRefusal.None ? "nobody is there: cold start" : $"nobody is there: {State}",
    };

    private static string Names(IReadOnlyList<string> ports) => ports.Count == 0 ? "" : $" ({string.Join(", ", ports)})";
}
