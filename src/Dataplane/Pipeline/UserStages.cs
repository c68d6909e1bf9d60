using Dataplane.Packets;
using Dataplane.Telemetry;

namespace Dataplane.Pipeline;

/// <summary>The user's stages, sorted by position.</summary>
internal sealed class UserStages
{
    private readonly IStage[] _afterParse, _afterFilter, _beforeTransmit;

    public UserStages(IReadOnlyList<(StagePosition Position, IStage Stage)> stages)
    {
        _afterParse = At(StagePosition.AfterParse);
        _afterFilter = At(StagePosition.AfterFilter);
        _beforeTransmit = At(StagePosition.BeforeTransmit);

        IStage[] At(StagePosition position) => [.. stages.Where(entry => entry.Position == position).Select(entry => entry.Stage)];
    }

    public static UserStages None { get; } = new([]);

    /// <summary>Whether there are none at all.</summary>
    public bool IsEmpty => _afterParse.Length + _afterFilter.Length + _beforeTransmit.Length == 0;

    /// <summary>Whether stages of the user's stand behind the filter: then every packet has to come by there.</summary>
    public bool HasAfterFilter => _afterFilter.Length > 0;

    public void Process<TTracing>(StagePosition position, WorkerContext context, PacketBatch batch)
        where TTracing : struct, ITracing
    {
        IStage[] stages = position switch
        {
            StagePosition.AfterParse => _afterParse,
            StagePosition.AfterFilter => _afterFilter,
            _ => _beforeTransmit,
        };
        foreach (IStage stage in stages)
        {
            stage.Process(batch);
            if (TTracing.IsOn)
            {
                Verdict verdict = batch.VerdictOf(0);
                context.Trace!.Add(batch, stage.Name, verdict.ToString().ToLowerInvariant(), $"stage of the user, {position}: {verdict}");
            }
        }
    }
}
