using Dataplane.Gateway.CommandLine;
using Dataplane.Mesh.Identity;

namespace Dataplane.Gateway.Mesh;

/// <summary>Makes a certificate authority for development.</summary>
internal sealed class AuthorityInitCommand : Command
{
    private static readonly Option s_domain = new("--trust-domain", "NAME", "whose identities it gives out, such as example.org") { IsRequired = true };
    private static readonly Option s_days = new("--days", "N", "how long it is valid, 1 to 3650; 30 when left out");
    private static readonly Option s_rotate = new("--rotate", "", "make the next authority in a directory that has one; the bundle then holds both");

    public override string Name => "mesh ca init";

    public override string Summary => "make a certificate authority for development in a directory";

    public override string Details => """
        Writes DIR/ca.pem, DIR/ca.key (readable by its owner only, not encrypted) and DIR/bundle.pem, which relays take as bundle.
        To rotate without breaking anything: init --rotate, give relays the time to read the bundle (two seconds), issue again.
        """;

    public override IReadOnlyList<string> Positionals => ["DIR"];

    public override IReadOnlyList<Option> Options => [s_domain, s_days, s_rotate];

    public override Task<int> RunAsync(Arguments arguments, Output output)
    {
        TimeSpan life = TimeSpan.FromDays(arguments.GetNumber(s_days, 1, 3650) ?? 30);
        var authority = DevelopmentAuthority.Create(arguments.Positionals[0], arguments.Get(s_domain)!, life, arguments.Has(s_rotate));
        output.Out.WriteLine($"authority of {arguments.Get(s_domain)} made, bundle: {authority.BundlePath}");
        return Task.FromResult(ExitCode.Ok);
    }
}
