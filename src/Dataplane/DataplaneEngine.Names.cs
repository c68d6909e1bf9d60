using Dataplane.Names;
using Dataplane.Pipeline;

namespace Dataplane;

/// <summary>Name servers: what they have done, and who asks upstream for them.</summary>
public sealed partial class DataplaneEngine
{
    private NameForwarder? _forwarder;

    /// <summary>What the name servers have done, added up.</summary>
    public NameServerStatus ReadNames()
    {
        long[] answered = new long[NameWorker.Rcodes];
        long truncated = 0, forwarded = 0, refused = 0, connections = 0, resets = 0;
        for (int worker = 0; worker < (_workers?.Count ?? 0); worker++)
        {
            NameWorker names = _workers![worker].Context.Names;
            names.AddAnswered(answered);
            truncated += names.Truncated;
            forwarded += names.Forwarded;
            refused += names.ForwardsRefused;
            connections += names.Streams.Opened;
            resets += names.Streams.WereReset;
        }

        return new NameServerStatus(answered, truncated, forwarded, refused, _workers?.Tables?.Names.Servers.Sum(server => server.Table.Count) ?? 0)
        {
            Connections = connections,
            ConnectionsReset = resets,
        };
    }

    /// <summary>Begins to ask upstream once a name server has somebody to ask; the workers are told between two batches.</summary>
    private void StartForwarder()
    {
        if (_forwarder is not null || !Spec.Names.Any(server => server.Upstreams.Count > 0))
        {
            return;
        }

        _forwarder = new NameForwarder(() => _workers!.Tables?.Names ?? NameServers.None, _options.TimeProvider);
        for (int worker = 0; worker < _workers!.Count; worker++)
        {
            NameForwards forwards = _forwarder.Attach(_workers[worker]);
            AtQuiescentPoint(worker, context => context.Names.Forwards = forwards);
        }
    }
}
