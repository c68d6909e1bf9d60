using Dataplane.Packets;

namespace Dataplane.Pipeline;

/// <summary>A stage of the user: one call per batch, never one per packet.</summary>
/// <remarks>
/// Called by the worker's thread; where there are several, see <see cref="ForWorker"/>. Loop over the batch, touch only packets whose verdict is
/// <see cref="Verdict.Continue"/>, and do not allocate, block or throw. Keep no reference to the batch or its memory beyond the call.
/// </remarks>
public interface IStage
{
    /// <summary>Name shown by explain.</summary>
    string Name { get; }

    /// <summary>The stage that one of several workers is to call; called once per worker before the start. A stage that keeps anything to itself must
    /// return another object for each, as workers run at the same time.</summary>
    /// <param name="worker">Number of the worker, from 0.</param>
    IStage ForWorker(int worker) => this;

    /// <summary>Looks at the packets of a batch, and changes, drops or sends them.</summary>
    void Process(PacketBatch batch);
}
