using Dataplane.Gateway.CommandLine;
using Dataplane.Mesh.Identity;

namespace Dataplane.Gateway.Mesh;

/// <summary>Gives out an identity.</summary>
internal sealed class AuthorityIssueCommand : Command
{
    private static readonly Option s_out = new("--out", "PREFIX", "write PREFIX.pem and PREFIX.key; files there are replaced") { IsRequired = true };
    private static readonly Option s_hours = new("--hours", "N", "how long it is valid, 1 to 87600; 24 when left out");
    private static readonly Option s_dns = new("--dns", "NAME", "a DNS name that the certificate has besides") { IsRepeatable = true };

    public override string Name => "mesh ca issue";

    public override string Summary => "give out an identity: a certificate (X.509-SVID) and its key";

    public override string Details => "Running relays take new files within two seconds; connections that stand are not touched.";

    public override IReadOnlyList<string> Positionals => ["DIR", "SPIFFE-ID"];

    public override IReadOnlyList<Option> Options => [s_out, s_hours, s_dns];

    public override Task<int> RunAsync(Arguments arguments, Output output)
    {
        string prefix = arguments.Get(s_out)!;
        TimeSpan life = TimeSpan.FromHours(arguments.GetNumber(s_hours, 1, 87_600) ?? 24);
        if (!SpiffeId.TryParse(arguments.Positionals[1], out SpiffeId? id, out string problem))
            throw new UsageException($"\"{arguments.Positionals[1]}\" {problem}.");
        DevelopmentAuthority.Open(arguments.Positionals[0]).Issue(id, prefix + ".pem", prefix + ".key", life, [.. arguments.GetAll(s_dns)]);
        output.Out.WriteLine($"{id}: {prefix}.pem, {prefix}.key");
        return Task.FromResult(ExitCode.Ok);
    }
}
