using Dataplane.Ports;
using Dataplane.Switching;

namespace Dataplane.Pipeline;

/// <content>What is said last.</content>
internal sealed partial class Worker
{
    /// <summary>Tells endpoints that the engine is their router no more, since it ends. Once forwarding has ended, before the ports are closed.</summary>
    public void SayFarewell()
    {
        if (_plan is { } plan)
        {
            SayFarewell(plan, BridgeTable.Empty);
        }
    }

    /// <summary>Tells those who are told of their router by the plan in force and by none of the next; its ports are open still.</summary>
    private void SayFarewell(WorkerPlan plan, BridgeTable next)
    {
        if (!plan.Tables.Bridges.Advertises)
        {
            return;
        }

        IPort?[] ports = plan.Tables.Ports;
        Context.NowNs = NowNs;
        for (int at = 0; at < plan.Ids.Length;)
        {
            at = RouterAdvertisements.Cease(Context, plan.Ids, at, next);
            RunOriginated(ports);
        }

        Flush(ports, isTimed: false);
    }
}
