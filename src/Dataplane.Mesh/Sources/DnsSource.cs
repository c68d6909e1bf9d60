using System.Globalization;
using System.Net;
using System.Threading.Channels;
using Dataplane.Mesh.Services;

namespace Dataplane.Mesh.Sources;

/// <summary>Services whose endpoints are found by names of the domain name system: A and AAAA, or SRV with ports, weights and priorities.</summary>
/// <remarks>
/// A name is looked up again when its answer has run out, at least every five minutes and at most once a second. A look-up that fails (no answer, SERVFAIL, REFUSED, what cannot be read)
/// changes nothing and is tried again after one to ten seconds; an answer that there is nothing, or no such name, empties the service.
/// </remarks>
internal sealed class DnsSource : MeshSource
{
    private const uint MinSeconds = 1, MaxSeconds = 300, MaxRetrySeconds = 10;

    private readonly State[] _states;
    private readonly DnsLookup _lookup;
    private readonly SourceBook _book = new();

    /// <summary>Makes the source; asks nobody yet.</summary>
    /// <param name="spec">What to look up, and whom to ask.</param>
    /// <param name="time">Clock.</param>
    public DnsSource(MeshSourceSpec spec, TimeProvider time)
        : this(spec, time, TimeSpan.FromSeconds(2))
    {
    }

    internal DnsSource(MeshSourceSpec spec, TimeProvider time, TimeSpan patience)
        : base($"dns {string.Join(' ', spec.Lookups.Select(lookup => lookup.Name).Distinct())}", time)
    {
        _states = [.. spec.Lookups.Select(lookup => new State(lookup))];
        _lookup = new DnsLookup(() => spec.Servers.Count > 0 ? spec.Servers : ServersOfHost(), patience);
    }

    /// <inheritdoc/>
    /// <remarks>Each name is looked up in its own time; what comes of it is taken one after the other.</remarks>
    protected override Task RunAsync(CancellationToken ending)
    {
        var answers = Channel.CreateUnbounded<Answer>();
        return Task.WhenAll(_states.Select(state => FollowAsync(state, answers.Writer, ending)).Append(TakeAsync(answers.Reader, ending)));
    }

    private async Task FollowAsync(State state, ChannelWriter<Answer> answers, CancellationToken ending)
    {
        uint retry = MinSeconds;
        while (true)
        {
            uint wait;
            try
            {
                (IReadOnlyList<DnsLookup.Found> found, uint seconds) = await _lookup.FindAsync(state.Spec.Name, ending).ConfigureAwait(false);
                (wait, retry) = (Math.Clamp(seconds, MinSeconds, MaxSeconds), MinSeconds);
                answers.TryWrite(new Answer(state, [.. found.Distinct().OrderBy(one => one.Address.ToString(), StringComparer.Ordinal).ThenBy(one => one.Port)], ""));
            }
            catch (IOException failed)
            {
                (wait, retry) = (retry, Math.Min(retry * 2, MaxRetrySeconds));
                answers.TryWrite(new Answer(state, null, $"{state.Spec.Name}: {failed.Message}"));
            }

            await Task.Delay(TimeSpan.FromSeconds(wait), Time, ending).ConfigureAwait(false);
        }
    }

    private async Task TakeAsync(ChannelReader<Answer> answers, CancellationToken ending)
    {
        await foreach (Answer answer in answers.ReadAllAsync(ending).ConfigureAwait(false))
        {
            Take(answer);
        }
    }

    /// <summary>Tells nothing before each name has been looked up once: a service must not begin with a part of its endpoints.</summary>
    private void Take(Answer answer)
    {
        State state = answer.State;
        bool isHeard = answer.Found is not null;
        bool isChanged = isHeard && (state.Found is null || !answer.Found.AsSpan().SequenceEqual(state.Found));
        (state.Found, state.Problem, state.IsTried) = (answer.Found ?? state.Found, answer.Problem, true);
        if (!Array.TrueForAll(_states, one => one.IsTried))
        {
            return;
        }

        string problems = string.Join("; ", _states.Select(one => one.Problem).Where(text => text.Length > 0).Distinct());
        if (isChanged || Snapshot.Revision == 0)
        {
            Tell(problems, isHeard: isHeard || _states.Any(one => one.Found is not null));
        }
        else if (isHeard)
        {
            Heard(problems);
        }
        else
        {
            Failed(problems);
        }
    }

    private void Tell(string problems, bool isHeard)
    {
        var told = new HashSet<(string, string)>();
        for (int i = 0; i < _states.Length; i++)
        {
            MeshLookupSpec spec = _states[i].Spec;
            IReadOnlyList<MeshServiceSpec> services = spec.Port != 0 && told.Add((spec.Namespace, spec.Service)) ? [ServiceOf(spec)] : [];
            _book.Put(i.ToString("d6", CultureInfo.InvariantCulture), services, [.. (_states[i].Found ?? []).Select(found => new MeshEndpointSpec
            {
                Address = found.Address,
                Name = spec.Name,
                Namespace = spec.Namespace,
                Service = spec.Service,
                Weight = found.Weight,
                Ports = found.Port == 0 ? new Dictionary<string, ushort>() : new Dictionary<string, ushort> { [""] = found.Port },
            })]);
        }

        Publish(_book.Services, _book.Endpoints, problems, isHeard: isHeard);
    }

    private static MeshServiceSpec ServiceOf(MeshLookupSpec spec) => new()
    {
        Name = spec.Service,
        Namespace = spec.Namespace,
        Ports = [new MeshPortSpec { Port = spec.Port, TargetPort = spec.TargetPort != 0 ? spec.TargetPort.ToString(CultureInfo.InvariantCulture) : "", Protocol = spec.Protocol }],
    };

    /// <summary>Read for each look-up: hosts get others as they move between networks.</summary>
    private static IPEndPoint[] ServersOfHost()
    {
        try
        {
            return [.. File.ReadLines("/etc/resolv.conf").Select(line => line.Split(' ', '\t')).Where(words => words.Length > 1 && words[0] == "nameserver")
                .Select(words => IPAddress.TryParse(words[1], out IPAddress? address) ? new IPEndPoint(address, 53) : null).Where(server => server is not null).Select(server => server!)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private readonly record struct Answer(State State, DnsLookup.Found[]? Found, string Problem);

    private sealed class State(MeshLookupSpec spec)
    {
        public MeshLookupSpec Spec { get; } = spec;

        public DnsLookup.Found[]? Found { get; set; }

        public string Problem { get; set; } = "";

        public bool IsTried { get; set; }
    }
}
