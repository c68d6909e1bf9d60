namespace Dataplane.Names;

/// <summary>One name server in force.</summary>
/// <param name="Spec">What it was made from.</param>
/// <param name="Table">Its answers.</param>
/// <param name="Book">What its next table is made of.</param>
internal sealed record NameServer(NameServerSpec Spec, NameTable Table, NameBook Book);
