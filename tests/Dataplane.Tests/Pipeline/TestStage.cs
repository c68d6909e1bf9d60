using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Tests.Pipeline;

/// <summary>A stage of the user that does what a test says.</summary>
internal sealed class TestStage(Action<PacketBatch> process) : IStage
{
    public string Name => "test";

    public void Process(PacketBatch batch) => process(batch);
}
