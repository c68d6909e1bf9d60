using Dataplane.Packets;

namespace Dataplane.Telemetry;

/// <summary>Collects the steps of the one packet that is explained. Control side only: it allocates.</summary>
internal sealed class TraceRecorder
{
    private readonly List<ExplainStep> _steps = [];
    private readonly List<byte[]> _originated = [];

    public IReadOnlyList<ExplainStep> Steps => _steps;

    /// <summary>Frames the engine made because of the packet.</summary>
    public IReadOnlyList<byte[]> Originated => _originated;

    /// <summary>The batch whose steps are recorded; steps about packets the engine makes in the course are told apart by it.</summary>
    public PacketBatch? Batch { get; set; }

    public void Add(PacketBatch batch, string stage, string outcome, string detail, params ReadOnlySpan<(string Name, object? Value)> values)
    {
        var dictionary = new Dictionary<string, object?>();
        foreach ((string name, object? value) in values)
        {
            dictionary[name] = value;
        }

        _steps.Add(new ExplainStep(ReferenceEquals(batch, Batch) ? stage : "originated/" + stage, outcome, detail, dictionary));
    }

    public void AddOriginated(ReadOnlySpan<byte> frame) => _originated.Add(frame.ToArray());
}
