using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Registration;

/// <summary>What applications have registered, each endpoint for as long as its lease. Any thread.</summary>
internal sealed class Registry(TimeProvider time)
{
    /// <summary>More is not an application but a mistake.</summary>
    private const int MaxEndpoints = 300_000;
    private const int MaxServices = 20_000;

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Namespace, string Service, string Id), Registered> _endpoints = [];
    private readonly LeaseQueue _leases = new();
    private readonly Dictionary<(string Namespace, string Service), ServiceRegistration> _services = [];

    /// <summary>An endpoint, when it was renewed last, and when its place in the queue of leases comes up.</summary>
    private readonly record struct Registered(EndpointRegistration Endpoint, long Renewed, long Place);

    /// <summary>Of each service, the ports that its endpoints say it has, by their ids.</summary>
    private readonly Dictionary<(string Namespace, string Service), SortedDictionary<string, IReadOnlyList<ServicePortRegistration>>> _ports = [];
    private readonly SourceBook _book = new();
    private readonly RegistryLog _log = new();
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _revision = 1;

    /// <summary>Which run of the registry it is.</summary>
    public string Instance { get; } = Guid.NewGuid().ToString("n");

    /// <summary>Counts up with every change.</summary>
    public long Revision
    {
        get
        {
            lock (_gate)
            {
                return _revision;
            }
        }
    }

    /// <summary>Registers an endpoint, or renews it.</summary>
    /// <returns>Whether something has changed, and whether it was new; null when there is no room.</returns>
    public (bool IsChanged, bool IsNew)? Put(string space, string service, string id, EndpointRegistration endpoint)
    {
        lock (_gate)
        {
            bool isKnown = _endpoints.TryGetValue((space, service, id), out Registered known);
            if (!isKnown && _endpoints.Count >= MaxEndpoints)
            {
                return null;
            }

            long now = time.GetTimestamp(), due = now + (endpoint.LeaseSeconds * time.TimestampFrequency);
            bool isInQueue = isKnown && known.Place <= due;
            _endpoints[(space, service, id)] = new Registered(endpoint, now, isInQueue ? known.Place : due);
            if (!isInQueue)
            {
                _leases.Add((space, service, id), due);
                _leases.Trim(_endpoints, registered => registered.Place);
            }

            bool isChanged = !isKnown || !IsSame(known.Endpoint, endpoint);
            if (isChanged)
            {
                Note(space, service, id, endpoint);
            }

            return (isChanged, !isKnown);
        }
    }

    /// <summary>Renews the lease of an endpoint.</summary>
    /// <returns>The lease; null when there is no such endpoint.</returns>
    public int? Renew(string space, string service, string id)
    {
        lock (_gate)
        {
            if (!_endpoints.TryGetValue((space, service, id), out Registered known))
            {
                return null;
            }

            _endpoints[(space, service, id)] = known with { Renewed = time.GetTimestamp() };
            return known.Endpoint.LeaseSeconds;
        }
    }

    /// <summary>Takes an endpoint out.</summary>
    public bool Remove(string space, string service, string id)
    {
        lock (_gate)
        {
            bool isRemoved = _endpoints.Remove((space, service, id));
            if (isRemoved)
            {
                Note(space, service, id, null);
            }

            return isRemoved;
        }
    }

    /// <summary>Defines a service.</summary>
    /// <returns>False when there is no room.</returns>
    public bool Define(string space, string name, ServiceRegistration service)
    {
        lock (_gate)
        {
            if (_services.Count >= MaxServices && !_services.ContainsKey((space, name)))
            {
                return false;
            }

            _services[(space, name)] = service;
            Count(space, name, null);
            NoteService(space, name);
            return true;
        }
    }

    /// <summary>Takes a service out; its endpoints stay.</summary>
    public bool Undefine(string space, string name)
    {
        lock (_gate)
        {
            bool isRemoved = _services.Remove((space, name));
            if (isRemoved)
            {
                Count(space, name, null);
                NoteService(space, name);
            }

            return isRemoved;
        }
    }

    /// <summary>Takes out endpoints whose lease has run out; looks at no others but those that have been renewed for the time of a whole lease.</summary>
    /// <returns>Whether there were any.</returns>
    public bool Expire()
    {
        lock (_gate)
        {
            long now = time.GetTimestamp();
            bool isAnyGone = false;
            while (_leases.TryTake(now, out (string Namespace, string Service, string Id) key))
            {
                if (!_endpoints.TryGetValue(key, out Registered known))
                {
                    continue;
                }

                long due = known.Renewed + (known.Endpoint.LeaseSeconds * time.TimestampFrequency);
                if (due >= now)
                {
                    // It has been renewed since. Of several places of one endpoint the earliest counts.
                    if (known.Place < now)
                    {
                        _endpoints[key] = known with { Place = due };
                        _leases.Add(key, due);
                    }

                    continue;
                }

                isAnyGone = true;
                _endpoints.Remove(key);
                Note(key.Namespace, key.Service, key.Id, null);
            }

            return isAnyGone;
        }
    }

    /// <summary>All there is.</summary>
    public RegistryListing List()
    {
        lock (_gate)
        {
            return new RegistryListing(_revision, _services.ToDictionary(entry => $"{entry.Key.Namespace}/{entry.Key.Service}", entry => entry.Value, StringComparer.Ordinal),
                [.. _endpoints.Select(entry => new RegisteredEndpoint(entry.Key.Namespace, entry.Key.Service, entry.Key.Id, entry.Value.Endpoint,
                    Math.Max(0, entry.Value.Endpoint.LeaseSeconds - time.GetElapsedTime(entry.Value.Renewed).TotalSeconds)))]);
        }
    }

    /// <summary>The same as services and endpoints. A service that nobody has defined is made of what its first endpoint says of its ports.</summary>
    public SourceSnapshot ToSnapshot()
    {
        lock (_gate)
        {
            return new SourceSnapshot { Revision = _revision, Services = _book.Services, Endpoints = _book.Endpoints };
        }
    }

    /// <summary>What has happened since a revision, in lines of so many parts at most; none when nothing has. And what completes when something else has.</summary>
    /// <param name="instance">The run of which the revision is.</param>
    /// <param name="after">The revision.</param>
    public (IReadOnlyList<RegistryNews> Lines, Task Next) NewsSince(string instance, long after)
    {
        lock (_gate)
        {
            IReadOnlyCollection<RegistryLog.Part>? changed = instance == Instance ? _log.Since(after, _revision) : null;
            RegistryNews.Service[] services = changed is null
                ? [.. _services.Select(entry => new RegistryNews.Service(entry.Key.Namespace, entry.Key.Service, entry.Value))]
                : [.. changed.Where(part => part.Id is null).Select(part => new RegistryNews.Service(part.Namespace, part.Service, _services.GetValueOrDefault((part.Namespace, part.Service))))];
            RegistryNews.Member[] members = changed is null
                ? [.. _endpoints.Select(entry => new RegistryNews.Member(entry.Key.Namespace, entry.Key.Service, entry.Key.Id, entry.Value.Endpoint))]
                : [.. changed.Where(part => part.Id is not null).Select(part => new RegistryNews.Member(part.Namespace, part.Service, part.Id!,
                    _endpoints.GetValueOrDefault((part.Namespace, part.Service, part.Id!)).Endpoint))];
            return (Lines(changed is null, services, members), _next.Task);
        }
    }

    private List<RegistryNews> Lines(bool isWhole, RegistryNews.Service[] services, RegistryNews.Member[] members)
    {
        const int PartsEach = 1000;
        var lines = new List<RegistryNews>();
        for (int at = 0; at < Math.Max(services.Length, members.Length) || (isWhole && at == 0); at += PartsEach)
        {
            bool isMore = at + PartsEach < Math.Max(services.Length, members.Length);
            lines.Add(new RegistryNews(Instance, _revision, isWhole && at == 0, isMore, [.. services.Skip(at).Take(PartsEach)], [.. members.Skip(at).Take(PartsEach)]));
        }

        return lines;
    }

    private void Count(string space, string service, string? id)
    {
        _log.Add(++_revision, new RegistryLog.Part(space, service, id));
        TaskCompletionSource happened = _next;
        _next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        happened.SetResult();
    }

    /// <summary>Takes down that an endpoint is another one, or, with null, gone.</summary>
    private void Note(string space, string service, string id, EndpointRegistration? endpoint)
    {
        Count(space, service, id);
        _book.Put($"{space}/{service}/{id}", [], endpoint is null ? [] : [RegistrationConversion.ToSpec(space, service, id, endpoint)]);
        if (!_ports.TryGetValue((space, service), out SortedDictionary<string, IReadOnlyList<ServicePortRegistration>>? ports))
        {
            _ports.Add((space, service), ports = new(StringComparer.Ordinal));
        }

        bool wasThere = ports.Remove(id);
        if (endpoint is { ServicePorts.Count: > 0 })
        {
            ports.Add(id, endpoint.ServicePorts);
            wasThere = true;
        }

        if (wasThere)
        {
            NoteService(space, service);
        }

        if (ports.Count == 0)
        {
            _ports.Remove((space, service));
        }
    }

    private void NoteService(string space, string service)
    {
        MeshServiceSpec? spec = _services.TryGetValue((space, service), out ServiceRegistration? defined) ? RegistrationConversion.ToSpec(space, service, defined)
            : _ports.TryGetValue((space, service), out var ports) && ports.Count > 0
                ? new MeshServiceSpec { Name = service, Namespace = space, Ports = RegistrationConversion.Ports(ports.First().Value) }
                : null;
        _book.Put($"{space}/{service}", spec is null ? [] : [spec], []);
    }

    private static bool IsSame(EndpointRegistration left, EndpointRegistration right) =>
        System.Text.Json.JsonSerializer.Serialize(left, MeshJson.Default.EndpointRegistration) == System.Text.Json.JsonSerializer.Serialize(right, MeshJson.Default.EndpointRegistration);
}
